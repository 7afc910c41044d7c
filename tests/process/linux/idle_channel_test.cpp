// What a channel costs over which nothing comes: counts of memory and descriptors, no time.

#include <dirent.h>
#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "support/descriptor_limit.hpp"
#include "support/process.hpp"

using namespace strait_test;

namespace {

using IdleLink = RawLink<strait::MachTransport<>>;

/// What is resident of this process, as the kernel counts it: a page of shared memory as often as
/// it is mapped.
std::size_t resident_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    if (word != "Rss:") continue;
    std::size_t kib = 0;
    rollup >> kib;
    return kib << 10;
  }
  FAIL("no Rss in /proc/self/smaps_rollup");
  return 0;
}

std::size_t open_descriptors() {
  DIR* const directory = ::opendir("/proc/self/fd");
  REQUIRE(directory != nullptr);
  std::size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// Both ends are in this process.
void exchange_messages(std::pair<IdleLink, IdleLink>& ends, std::size_t size) {
  IdleLink& first = ends.first;
  IdleLink& second = ends.second;
  std::size_t heard = 0;
  const auto listener = [&](View bytes) { heard += bytes.size(); };
  const Bytes message = pattern(size);
  REQUIRE(first.send(View(message)));
  REQUIRE(second.send(View(message)));
  REQUIRE(repeat_until([&] {
    static_cast<void>(first.poll(listener));
    static_cast<void>(second.poll(listener));
    return heard == 2 * size;
  }));
}

/// The clients of so many servers, one after the other, each of which answers one message.
const ChildRole clients_of_many("idle_channel.clients", [](const ChildArguments& arguments) {
  static_cast<void>(raise_descriptor_limit(0));
  const auto token = strait::Token::from_hex(child::read_line().value()).value();
  const std::size_t count = std::stoul(arguments.at(1));
  std::vector<IdleLink> links;
  links.reserve(count);
  while (links.size() != count) {
    const std::string name = arguments.at(0) + std::to_string(links.size());
    auto link = IdleLink::connect(name, token, long_enough);
    child::require(link.has_value(), "connected");
    links.push_back(std::move(*link));
  }
  for (IdleLink& link : links) {
    const auto answer = [&](View bytes) {
      child::require(link.send(bytes).has_value(), "answered");
    };
    // By polling: a channel that sleeps in `wait` has a descriptor more, to be stopped by.
    child::require(repeat_until([&] { return link.poll(answer).value() == 1; }), "heard");
  }
  child::read_line(1h);
  return 0;
});

}  // namespace

TEST_CASE("an idle channel's two ends take less than 64 KiB of memory, a used one what was used",
          "[idle][no-asan][no-tsan]") {
  constexpr std::size_t count = 100;
  std::vector<std::pair<IdleLink, IdleLink>> channels;
  channels.reserve(count);
  channels.push_back(IdleLink::pair().value());  // what the first one costs is another matter
  exchange_messages(channels[0], 100);
  const std::size_t before = resident_bytes();
  while (channels.size() != count + 1) channels.push_back(IdleLink::pair().value());
  const std::size_t idle = resident_bytes() - before;
  CHECK(idle / count < (64 << 10));
  for (auto& ends : channels) exchange_messages(ends, 100);
  const std::size_t small = resident_bytes() - before;
  CHECK(small / count < (128 << 10));
  // A ring that was used all around is resident, in both processes' views, and no more than that.
  for (int i = 0; i != 5; ++i) exchange_messages(channels[1], 400 << 10);
  CHECK(resident_bytes() - before - small < (9 << 20));
}

TEST_CASE("an end that has met its peer by a name has one descriptor", "[idle]") {
  using Link = IdleLink;
  using Passable = RawLink<strait::MachTransport<>, strait::ChannelOptions{.passable = true}>;
  { auto warm_up = connected_pair<Link>(); }
  const std::size_t before = open_descriptors();
  auto pair = connected_pair<Link>();
  CHECK(open_descriptors() - before == 2);
  // It can't be passed on, and is as it was then.
  CHECK(pair.client.into_right().error() == Errc::unsupported);
  CHECK(pair.server.into_right().error() == Errc::unsupported);
  REQUIRE(pair.client.send(pattern(300'000)));
  REQUIRE(pair.deliver_to_server(1));
  REQUIRE(pair.server.send(pattern(10)));
  REQUIRE(pair.deliver_to_client(1));
  CHECK(open_descriptors() - before == 2);

  auto passable = connected_pair<Passable>();
  CHECK(open_descriptors() - before == 2 + 2 * 3);
  REQUIRE(passable.client.send(pattern(20)));
  auto right = passable.server.into_right().value();
  auto server = Passable::from_right(right).value();
  REQUIRE(poll_until(server, passable.at_server,
                     [&] { return passable.at_server.messages.size() == 1; }));
}

TEST_CASE("a process has as many channels as its limit of descriptors allows, up to 10,000",
          "[idle][slow][no-asan][no-tsan]") {
  static_cast<void>(raise_descriptor_limit(0));
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const std::size_t count = std::min<std::size_t>(10'000, limit.rlim_cur - 200);
  const auto token = new_token();
  const auto name = unique_name("many");
  auto clients = Child::spawn("idle_channel.clients", {name, std::to_string(count)});
  REQUIRE(clients.write_line(token.to_hex()));
  std::vector<IdleLink> servers;
  servers.reserve(count);
  const std::size_t before = resident_bytes();
  const auto ignore = [](View) {};
  constexpr std::size_t ahead = 16;  // a client that finds its server at once need not sleep
  for (std::size_t i = 0; i != count; ++i) {
    while (servers.size() != std::min(count, i + ahead)) {
      servers.push_back(IdleLink::listen(name + std::to_string(servers.size()), token).value());
    }
    const auto connected = [&] {
      static_cast<void>(servers[i].poll(ignore));
      return !servers[i].waiting_connect();
    };
    if (!repeat_until(connected)) FAIL("no client for server " << i);
  }
  CHECK((resident_bytes() - before) / count < (64 << 10));
  CHECK(open_descriptors() < count + 100);
  const Bytes question = pattern(8);
  for (IdleLink& server : servers) server.send(View(question)).value();
  std::size_t answers = 0;
  const auto listener = [&](View bytes) { answers += bytes.size() == 8; };
  for (IdleLink& server : servers) {
    if (!repeat_until([&] { return server.poll(listener).value() == 1; })) FAIL("no answer");
  }
  CHECK(answers == count);
  clients.close_stdin();
  CHECK(clients.wait(long_enough).success());
}
