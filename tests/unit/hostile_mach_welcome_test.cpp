// Servers that break the handshake in every way, before a real client.

#include <strait/channel.hpp>
#include <strait/mach_transport.hpp>
#include <strait/serializers/raw.hpp>

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
using strait::linux_mach::NamePort;
using namespace strait_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;
using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;

const auto deaf = [](Bytes) {};

strait::MessageHeader header(std::uint8_t kind, std::size_t bytes, std::uint8_t descriptors = 0) {
  return {static_cast<std::uint32_t>(bytes), 0, kind, descriptors};
}

/// What a client comes to when a server does `answer` with the lane that the client made.
std::error_code verdict(const std::function<void(FarLane&)>& answer) {
  const auto name = unique_name("hostile");
  auto port = NamePort::check_in(name, {}).value();
  auto client = Link::connect(name, Token::generate().value()).value();
  CHECK(client.send(std::array{std::byte{1}}));  // something waits to be sent
  auto request = port.receive().value();
  FarLane lane{std::move(request.reply.socket), std::move(request.reply.memory), {}};
  lane.ring = RawRing(lane.memory);
  answer(lane);
  const auto ended = client.wait(deaf, 1h).error();
  CHECK(client.poll(deaf).error() == ended);
  CHECK(client.send(std::array{std::byte{1}}).error() == ended);
  return ended;
}

const Bytes good() {
  static const auto bytes = strait::detail::encode_welcome({});
  return bytes.bytes();
}

void pass_lane(FarLane& lane, OwnLane& own) {
  REQUIRE(lane.pass(std::array{own.far_socket.get(), own.memory.get()}));
}

void wake(FarLane& lane) { REQUIRE(lane.pass({})); }

}  // namespace

TEST_CASE("a server that hangs up without a word has refused", "[hostile][mach]") {
  CHECK(verdict([](FarLane& lane) { lane.socket.reset(); }) == Errc::refused);
}

TEST_CASE("a server that never answers is given up", "[hostile][mach]") {
  constexpr ChannelOptions hasty{.handshake_timeout_ms = 10};
  using Hasty = strait::Channel<strait::MachTransport<>, strait::RawSerializer, hasty>;
  const auto name = unique_name("hostile");
  const auto token = Token::generate().value();
  const auto port = NamePort::check_in(name, {}).value();
  auto client = Hasty::connect(name, token).value();
  CHECK(client.wait(deaf, 1h).error() == Errc::handshake_timeout);
  CHECK(Hasty::connect(name, token, 1h).error() == Errc::handshake_timeout);
}

TEST_CASE("a Welcome without a right, or with a wrong one, is no welcome", "[hostile][mach]") {
  CHECK(verdict([](FarLane& lane) {
          lane.ring.write(header(welcome, 16, 2), good());
          wake(lane);
        }) == Errc::malformed);
  OwnLane own;
  CHECK(verdict([&](FarLane& lane) {
          REQUIRE(lane.pass(std::array{own.far_socket.get()}));
          lane.ring.write(header(welcome, 16, 2), good());
        }) == Errc::malformed);
  CHECK(verdict([&](FarLane& lane) {
          REQUIRE(lane.pass(std::array{own.memory.get(), own.far_socket.get()}));
          lane.ring.write(header(welcome, 16, 2), good());
        }) == Errc::malformed);
  CHECK(verdict([&](FarLane& lane) {
          const auto unsealed = memory_file(page() + (std::size_t{256} << 10), 0);
          REQUIRE(lane.pass(std::array{own.far_socket.get(), unsealed.get()}));
          lane.ring.write(header(welcome, 16, 2), good());
        }) == Errc::bad_region);
  OwnLane tiny(page());
  CHECK(verdict([&](FarLane& lane) {
          pass_lane(lane, tiny);
          lane.ring.write(header(welcome, 16, 2), good());
        }) == Errc::bad_region);
}

TEST_CASE("a Welcome of wrong bytes is malformed", "[hostile][mach]") {
  const std::vector<std::byte> zeros(16);
  const std::vector<std::byte> large(129);
  std::vector<std::byte> longer(good().begin(), good().end());
  longer.push_back(std::byte{0});
  for (const Bytes bytes : {Bytes(zeros), Bytes(large), Bytes(longer), good().first(15), Bytes()}) {
    OwnLane own;
    CAPTURE(bytes.size());
    CHECK(verdict([&](FarLane& lane) {
            pass_lane(lane, own);
            lane.ring.write(header(welcome, bytes.size(), 2), bytes);
          }) == Errc::malformed);
  }
}

TEST_CASE("a record that is no Welcome in its place is malformed", "[hostile][mach]") {
  for (const std::uint8_t kind : {std::uint8_t{0}, std::uint8_t{whole}, std::uint8_t{fragment},
                                  std::uint8_t{region}, std::uint8_t{99}}) {
    OwnLane own;
    CAPTURE(int{kind});
    CHECK(verdict([&](FarLane& lane) {
            pass_lane(lane, own);
            lane.ring.write(header(kind, 16, 2), good());
          }) == Errc::malformed);
  }
}

TEST_CASE("a Welcome of another version says so", "[hostile][mach]") {
  strait::detail::Welcome other;
  other.version = 2;
  OwnLane own;
  CHECK(verdict([&](FarLane& lane) {
          pass_lane(lane, own);
          lane.ring.write(header(welcome, 16, 2), std::as_bytes(std::span(&other, 1)));
        }) == Errc::version_mismatch);
}

TEST_CASE("a refusal says why, and never that all is well", "[hostile][mach]") {
  const auto refused_with = [](std::uint32_t status) {
    strait::detail::Welcome answer;
    answer.status = status;
    return verdict([&](FarLane& lane) {
      lane.ring.write(header(refusal, 16), std::as_bytes(std::span(&answer, 1)));
      wake(lane);
    });
  };
  CHECK(refused_with(static_cast<std::uint32_t>(Errc::bad_token)) == Errc::bad_token);
  CHECK(refused_with(static_cast<std::uint32_t>(Errc::peer_closed)) == Errc::refused);
  CHECK(refused_with(0xffff'ffff) == Errc::refused);
  CHECK(refused_with(0) == Errc::peer_closed);
}

TEST_CASE("an impossible record in place of the Welcome is malformed", "[hostile][mach]") {
  CHECK(verdict([](FarLane& lane) {
          lane.ring.write_word(~std::uint64_t{0});
          wake(lane);
        }) == Errc::malformed);
}

TEST_CASE("messages right behind a Welcome are heard in the same call", "[hostile][mach]") {
  const auto name = unique_name("hostile");
  auto port = NamePort::check_in(name, {}).value();
  auto client = Link::connect(name, Token::generate().value()).value();
  auto request = port.receive().value();
  FarLane lane{std::move(request.reply.socket), std::move(request.reply.memory), {}};
  lane.ring = RawRing(lane.memory);
  OwnLane own;
  pass_lane(lane, own);
  lane.ring.write(header(welcome, 16, 2), good());
  lane.ring.write(header(whole, 3), std::array{std::byte{1}, std::byte{2}, std::byte{3}});
  CHECK(client.poll(deaf).value() == 1);
  CHECK_FALSE(client.waiting_connect());
}
