// Clients that break the handshake in every way, before a real server; an honest one gets in after.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "support/hostile_peer.hpp"
#include "support/runtime_dir.hpp"
#include "support/wire_bytes.hpp"

using strait::ChannelOptions;
using strait::Errc;
using strait::Token;
using namespace strait_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;
using Link =
    strait::Channel<strait::MachTransport<>, strait::RawSerializer, ChannelOptions{}, Refusals>;

const auto deaf = [](Bytes) {};

struct Server {
  std::string name = unique_name("hostile");
  Token token = Token::generate().value();
  Link link = Link::listen(name, token).value();

  Bytes hello() {
    hello_ = RawClient::hello_of<Link>(token);
    return hello_.bytes();
  }

  /// What the server says to clients that have come so far; they are all refused.
  std::vector<std::error_code> verdicts() {
    CHECK(link.poll(deaf).value() == 0);
    CHECK(link.waiting_connect());
    std::vector<std::error_code> result;
    for (const auto& refusal : link.observer().seen) {
      CHECK(refusal.who.uid == ::geteuid());
      CHECK(refusal.who.pid == ::getpid());
      result.push_back(refusal.why);
    }
    link.observer().seen.clear();
    return result;
  }

  bool admits_an_honest_client() {
    auto client = Link::connect(name, token).value();
    if (!link.poll(deaf) || link.waiting_connect()) return false;
    if (!client.poll(deaf) || client.waiting_connect()) return false;
    bool heard = false;
    return client.send(std::array{std::byte{5}}) &&
           link.poll([&](Bytes bytes) { heard = bytes.size() == 1 && bytes[0] == std::byte{5}; }) &&
           heard;
  }

 private:
  strait::detail::HandshakeBytes hello_;
};

using Verdicts = std::vector<std::error_code>;
Verdicts just(std::error_code error) { return {error}; }

}  // namespace

TEST_CASE("descriptors that come with a Hello are not taken", "[hostile][mach]") {
  Server server;
  const auto file = memory_file(page());
  for (const auto& descriptors : {std::vector<int>{file.get()}, std::vector<int>(2, file.get()),
                                  std::vector<int>(253, file.get())}) {
    const auto client = knock(server.name);
    // Since Linux 6.16 they don't even get to the server.
    if (!strait::os::send_packet(client.get(), server.hello(), descriptors)) {
      CHECK(server.verdicts().empty());
      say(client, {});
      CHECK(server.verdicts() == just(Errc::peer_closed));
    } else {
      CHECK(server.verdicts() == just(Errc::malformed));
    }
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a client that speaks as ever to a port is understood, and answered as ever",
          "[wire][mach]") {
  if (!wire::is_little) return;
  const auto name = unique_name("wire");
  auto link = Link::listen(name, wire::token()).value();
  const auto socket = knock(name);
  say(socket, wire::from_hex(wire::raw_hello("0000100000000000")));
  REQUIRE(link.poll(deaf));
  REQUIRE_FALSE(link.waiting_connect());
  // With the Welcome come a socket and memory, of the lane from the server and of the one to it.
  strait::os::DescriptorQueue descriptors;
  std::array<std::byte, strait::detail::HandshakeBytes::capacity> answer;
  const auto size = strait::os::receive_packet(socket.get(), answer, descriptors).value();
  CHECK(wire::to_hex(Bytes(answer).first(size)) == wire::good_welcome);
  REQUIRE(descriptors.size() == 3);
  const auto link_socket = descriptors.pop();
  RawRing in(descriptors.pop());
  RawRing out(descriptors.pop());
  CHECK(out.capacity() == 0x10'0000);

  const auto record = wire::from_hex("050000000000018068656c6c6f0000000000000000000000");
  std::memcpy(out.at(8), record.data() + 8, record.size() - 8);
  std::memcpy(out.at(0), record.data(), 8);
  std::string heard;
  const auto listener = [&](Bytes bytes) {
    heard.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  CHECK(link.poll(listener).value() == 1);
  CHECK(heard == "hello");
  REQUIRE(link.send(std::string("strait")));
  CHECK(wire::to_hex(Bytes(in.at(0), 24)) == "060000000000018073747261697400000000000000000000");
}

TEST_CASE("a Hello of wrong bytes is malformed", "[hostile][mach]") {
  Server server;
  std::vector<std::byte> garbage(100);
  for (std::size_t i = 0; i != garbage.size(); ++i) garbage[i] = static_cast<std::byte>(i * 37);
  std::vector<std::byte> wrong_magic(server.hello().begin(), server.hello().end());
  wrong_magic[0] ^= std::byte{1};
  std::vector<std::byte> too_long(server.hello().begin(), server.hello().end());
  too_long.resize(too_long.size() + 1);
  const std::vector<std::byte> over_capacity(4000);
  for (const Bytes bytes : {Bytes(garbage), Bytes(wrong_magic), Bytes(too_long),
                            Bytes(over_capacity), server.hello().first(20)}) {
    const auto client = knock(server.name);
    say(client, bytes);
    CAPTURE(bytes.size());
    CHECK(server.verdicts() == just(Errc::malformed));
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a client that leaves without a word is no trouble", "[hostile][mach]") {
  Server server;
  for (int i = 0; i != 5; ++i) {
    auto client = knock(server.name);
    if (i % 2 == 0) server.verdicts();
    client.reset();
    CHECK(server.verdicts() == just(Errc::peer_closed));
  }
  const auto silent = knock(server.name);
  say(silent, {});  // nothing at all looks like the end
  CHECK(server.verdicts() == just(Errc::peer_closed));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a wrong version, token or schema is told to the client", "[hostile][mach]") {
  Server server;
  const auto answer_to = [&](strait::detail::Hello hello) {
    const auto client = knock(server.name);
    say(client, std::as_bytes(std::span(&hello, 1)));
    const auto verdicts = server.verdicts();
    REQUIRE(verdicts.size() == 1);
    strait::os::DescriptorQueue descriptors;
    std::array<std::byte, strait::detail::HandshakeBytes::capacity> answer;
    const auto size = strait::os::receive_packet(client.get(), answer, descriptors);
    REQUIRE(size);
    CHECK(strait::detail::check_welcome(std::span(answer).first(*size)).error() == verdicts[0]);
    // And nothing but that: no descriptor came, and the server hangs up.
    CHECK(descriptors.size() == 0);
    CHECK(strait::os::receive_packet(client.get(), answer, descriptors).error() ==
          Errc::peer_closed);
    return verdicts[0];
  };
  strait::detail::Hello hello;
  std::memcpy(&hello, server.hello().data(), sizeof hello);
  auto wrong = hello;
  wrong.version = 1;
  CHECK(answer_to(wrong) == Errc::version_mismatch);
  wrong = hello;
  wrong.token[31] ^= std::byte{1};
  CHECK(answer_to(wrong) == Errc::bad_token);
  wrong = hello;
  wrong.schema_hash ^= 1;
  CHECK(answer_to(wrong) == Errc::schema_mismatch);
  wrong = hello;
  wrong.reserved = 4;
  CHECK(answer_to(wrong) == Errc::malformed);
  wrong = hello;
  wrong.options.loan_bytes = 1;
  CHECK(answer_to(wrong) == Errc::send_policy_mismatch);
  wrong = hello;
  wrong.options.queue_bytes /= 2;
  CHECK(answer_to(wrong) == Errc::queue_size_mismatch);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a client that has gone or does not read when it is welcomed is no trouble",
          "[hostile][mach]") {
  Server server;
  auto gone = knock(server.name);
  say(gone, server.hello());
  gone.reset();
  CHECK(server.verdicts() == just(Errc::peer_closed));
  // It has switched descriptors off for its own end: the Welcome can't be sent.
  const auto deaf_client = knock(server.name);
  strait::os::refuse_descriptors(deaf_client.get());
  say(deaf_client, server.hello());
  const auto verdicts = server.link.poll(deaf);
  REQUIRE(verdicts);
  if (server.link.waiting_connect()) CHECK(server.admits_an_honest_client());
}

TEST_CASE("silent clients, however many, do not keep an honest one out", "[hostile][mach]") {
  constexpr ChannelOptions few{.handshake_timeout_ms = 3'600'000, .max_half_open = 4};
  using Small = strait::Channel<strait::MachTransport<>, strait::RawSerializer, few, Refusals>;
  const auto name = unique_name("silent");
  const auto token = Token::generate().value();
  auto server = Small::listen(name, token).value();
  std::vector<Descriptor> silent;
  for (int i = 0; i != 100; ++i) silent.push_back(knock(name));
  auto client = Small::connect(name, token).value();
  for (int i = 0; i != 100; ++i) silent.push_back(knock(name));
  REQUIRE(server.poll(deaf));
  CHECK_FALSE(server.waiting_connect());
  REQUIRE(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
  CHECK(server.observer().seen.size() >= 96);
  for (const auto& refusal : server.observer().seen) {
    CHECK(refusal.why == Errc::handshake_timeout);
  }
}

TEST_CASE("a silent client's time runs out while the server waits", "[hostile][mach]") {
  constexpr ChannelOptions hasty{.handshake_timeout_ms = 20};
  using Hasty = strait::Channel<strait::MachTransport<>, strait::RawSerializer, hasty, Refusals>;
  const auto name = unique_name("silent");
  const auto token = Token::generate().value();
  auto server = Hasty::listen(name, token).value();
  const auto silent = knock(name);
  while (server.observer().seen.empty()) REQUIRE(server.wait(deaf, 20ms).value() == 0);
  CHECK(server.observer().seen[0].why == Errc::handshake_timeout);
  CHECK(server.waiting_connect());
  // The one that was given up is gone.
  strait::os::DescriptorQueue descriptors;
  std::array<std::byte, 8> packet;
  CHECK(strait::os::receive_packet(silent.get(), packet, descriptors).error() == Errc::peer_closed);
}
