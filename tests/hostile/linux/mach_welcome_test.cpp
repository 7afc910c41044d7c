// Servers that break the handshake in every way, before a real client.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "support/hostile_peer.hpp"
#include "support/runtime_dir.hpp"

using strait::ChannelOptions;
using strait::Errc;
using strait::Token;
using strait::linux_mach::ServicePort;
using namespace strait_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;
using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;

const auto deaf = [](Bytes) {};

/// What a client comes to when a server answers its Hello in the way of `answer`.
template <class Link>
std::error_code verdict_of(const std::function<void(Descriptor&)>& answer) {
  const auto name = unique_name("hostile");
  auto port = ServicePort::check_in(name, {}).value();
  auto client = Link::connect(name, Token::generate().value()).value();
  CHECK(client.send(std::array{std::byte{1}}));  // something waits to be sent
  auto request = port.receive().value();
  Descriptor socket = std::move(request.client);
  answer(socket);
  const auto ended = client.wait(deaf, 1h).error();
  CHECK(client.poll(deaf).error() == ended);
  CHECK(client.send(std::array{std::byte{1}}).error() == ended);
  return ended;
}
std::error_code verdict(const std::function<void(Descriptor&)>& answer) {
  return verdict_of<Link>(answer);
}

Bytes good() {
  static const auto bytes = strait::detail::encode_welcome({});
  return bytes.bytes();
}

/// The socket pair and both lanes of a link, as a server makes them.
struct Lanes {
  explicit Lanes(std::size_t ring_bytes = std::size_t{1} << 20)
      : to_client(ring_bytes), to_server(ring_bytes) {}

  std::vector<int> ends() const {
    return {sockets[1].get(), to_client.memory.get(), to_server.memory.get()};
  }

  std::array<Descriptor, 2> sockets = socket_pair();
  RawLane to_client;
  RawLane to_server;
};

/// The verdict on a Welcome with these descriptors.
std::error_code welcomed_with(const std::vector<int>& descriptors, Bytes bytes = good()) {
  return verdict([&](Descriptor& socket) { say(socket, bytes, descriptors); });
}

}  // namespace

TEST_CASE("a server that hangs up without a word has refused", "[hostile][mach]") {
  CHECK(verdict([](Descriptor& socket) { socket.reset(); }) == Errc::refused);
}

TEST_CASE("a server that never answers is given up", "[hostile][mach]") {
  constexpr ChannelOptions hasty{.handshake_timeout_ms = 10};
  using Hasty = strait::Channel<strait::MachTransport<>, strait::RawSerializer, hasty>;
  const auto name = unique_name("hostile");
  const auto token = Token::generate().value();
  const auto port = ServicePort::check_in(name, {}).value();
  auto client = Hasty::connect(name, token).value();
  CHECK(client.wait(deaf, 1h).error() == Errc::handshake_timeout);
  CHECK(Hasty::connect(name, token, 100ms).error() == Errc::handshake_timeout);
}

TEST_CASE("a Welcome with a wrong number of descriptors is malformed", "[hostile][mach]") {
  const Lanes lanes;
  auto four = lanes.ends();
  four.push_back(lanes.to_client.memory.get());
  CHECK(welcomed_with(four) == Errc::malformed);
  for (const std::size_t count : {1u, 2u}) {
    auto few = lanes.ends();
    few.resize(count);
    CHECK(welcomed_with(few) == Errc::malformed);
  }
  CHECK(welcomed_with(std::vector<int>(253, lanes.to_client.memory.get())) == Errc::malformed);
  CHECK(welcomed_with({}) == Errc::malformed);
}

TEST_CASE("a Welcome whose memory is no ring is turned down", "[hostile][mach]") {
  const std::size_t ring = std::size_t{1} << 20;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor pipe_out(ends[0]);
  const Descriptor pipe_in(ends[1]);
  std::vector<Descriptor> files;
  files.push_back(memory_file(page() + ring, 0));
  files.push_back(memory_file(page() + ring, F_SEAL_SHRINK | F_SEAL_GROW));
  files.push_back(memory_file(page() + ring, strait::linux_mach::seals_of_content));
  files.push_back(memory_file(0));
  files.push_back(memory_file(page()));
  files.push_back(memory_file(ring));
  files.push_back(memory_file(page() + ring + 8));
  files.push_back(memory_file(page() + (std::size_t{1} << 30)));
  files.push_back(memory_file(std::size_t{1} << 50));
  files.push_back(strait::os::open("/dev/zero", O_RDWR).value());
  for (std::size_t i = 0; i != files.size() + 1; ++i) {
    CAPTURE(i);
    const Lanes lanes;
    const int memory = i < files.size() ? files[i].get() : pipe_out.get();
    for (const std::size_t place : {1u, 2u}) {
      auto descriptors = lanes.ends();
      descriptors[place] = memory;
      CHECK(welcomed_with(descriptors));
    }
  }
}

TEST_CASE("a Welcome with rings of another size is turned down", "[hostile][mach]") {
  for (const std::size_t size : {page(), std::size_t{256} << 10, std::size_t{2} << 20}) {
    const Lanes lanes(size);
    CHECK(welcomed_with(lanes.ends()) == Errc::bad_region);
  }
}

TEST_CASE("a Welcome whose socket is none, or of another kind, is turned down", "[hostile][mach]") {
  auto stream = socket_pair(SOCK_STREAM);
  auto datagram = socket_pair(SOCK_DGRAM);
  const Descriptor inet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto null = strait::os::open("/dev/null", O_RDWR).value();
  const Lanes lanes;
  for (const int socket :
       {stream[0].get(), datagram[0].get(), inet.get(), null.get(), lanes.to_client.memory.get()}) {
    CAPTURE(socket);
    auto descriptors = lanes.ends();
    descriptors[0] = socket;
    CHECK(welcomed_with(descriptors) == Errc::malformed);
  }
  const auto unconnected = strait::linux_mach::new_socket().value();
  auto descriptors = lanes.ends();
  descriptors[0] = unconnected.get();
  CHECK(welcomed_with(descriptors));
}

TEST_CASE("a Welcome of wrong bytes is malformed", "[hostile][mach]") {
  const std::vector<std::byte> zeros(16);
  const std::vector<std::byte> large(129);
  std::vector<std::byte> longer(good().begin(), good().end());
  longer.push_back(std::byte{0});
  for (const Bytes bytes : {Bytes(zeros), Bytes(large), Bytes(longer), good().first(15)}) {
    const Lanes lanes;
    CAPTURE(bytes.size());
    CHECK(welcomed_with(lanes.ends(), bytes) == Errc::malformed);
  }
}

TEST_CASE("a Welcome of another version says so", "[hostile][mach]") {
  strait::detail::Welcome other;
  other.version = 1;
  const Lanes lanes;
  CHECK(welcomed_with(lanes.ends(), std::as_bytes(std::span(&other, 1))) == Errc::version_mismatch);
}

TEST_CASE("a refusal says why, and never that all is well", "[hostile][mach]") {
  const auto refused_with = [](std::uint32_t status) {
    strait::detail::Welcome answer;
    answer.status = status;
    return verdict([&](Descriptor& socket) { say(socket, std::as_bytes(std::span(&answer, 1))); });
  };
  CHECK(refused_with(static_cast<std::uint32_t>(Errc::bad_token)) == Errc::bad_token);
  CHECK(refused_with(static_cast<std::uint32_t>(Errc::peer_closed)) == Errc::refused);
  CHECK(refused_with(0xffff'ffff) == Errc::refused);
  CHECK(refused_with(0) == Errc::malformed);
}

TEST_CASE("messages right behind a Welcome are heard in the same call", "[hostile][mach]") {
  const auto name = unique_name("hostile");
  auto port = ServicePort::check_in(name, {}).value();
  auto client = Link::connect(name, Token::generate().value()).value();
  auto request = port.receive().value();
  Lanes lanes;
  lanes.to_client.ring.write({3, 0, whole, 0},
                             std::array{std::byte{1}, std::byte{2}, std::byte{3}});
  say(request.client, good(), lanes.ends());
  CHECK(client.poll(deaf).value() == 1);
  CHECK_FALSE(client.waiting_connect());
}
