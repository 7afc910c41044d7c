// Peers that break the rules of the socket transport by hand.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/socket_transport.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::ChannelOptions;
using strait::Errc;
using strait::Token;
using strait::detail::FrameHeader;
using strait::posix::Descriptor;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;

struct Refusals {
  std::vector<std::error_code> seen;
  void on_refused(std::error_code why, const strait::PeerCredentials& who) {
    CHECK(who.pid == ::getpid());
    seen.push_back(why);
  }
};
constexpr ChannelOptions limits{.max_message_bytes = std::size_t{1} << 20,
                                .handshake_timeout_ms = 3'600'000,
                                .max_half_open = 4};
using Link = strait::Channel<strait::SocketTransport, strait::RawSerializer, limits, Refusals>;

const auto deaf = [](Bytes) {};

std::vector<std::byte> frame(FrameHeader header, Bytes body) {
  std::vector<std::byte> bytes(sizeof header + body.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
  return bytes;
}
std::vector<std::byte> frame(Bytes body, std::uint16_t tag = 0) {
  return frame({static_cast<std::uint32_t>(body.size()), tag, 0}, body);
}

Descriptor a_file() { return strait::posix::open("/dev/null", O_RDONLY).value(); }

void say(const Descriptor& to, Bytes bytes, std::span<const int> descriptors = {}) {
  const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  REQUIRE(strait::posix::send_parts(to.get(), {&part, 1}, descriptors).value() == bytes.size());
}

/// A connection to a server's name.
Descriptor knock(const std::string& name) {
  const auto path = strait::posix::SocketPath::of(strait::posix::NamePlace::of(name).directory() +
                                                  "/" + strait::posix::NameDirectory::hello_name)
                        .value();
  auto socket = strait::posix::stream_socket().value();
  REQUIRE(::connect(socket.get(), path.get(), path.size) == 0);
  return socket;
}

struct Server {
  std::string name = strait_test::unique_name("hostile");
  Token token = Token::generate().value();
  Link link = Link::listen(name, token).value();

  std::vector<std::byte> hello() const {
    return frame(strait::detail::encode_hello(strait::RawSerializer::schema_hash, token).bytes());
  }
  Descriptor welcomed_client() {
    auto client = knock(name);
    say(client, hello());
    REQUIRE(link.poll(deaf));
    REQUIRE_FALSE(link.waiting_connect());
    return client;
  }
  std::vector<std::error_code> verdicts() {
    CHECK(link.poll(deaf).value() == 0);
    CHECK(link.waiting_connect());
    return std::exchange(link.observer().seen, {});
  }
  bool admits_an_honest_client() {
    auto client = Link::connect(name, token).value();
    if (!link.poll(deaf) || link.waiting_connect()) return false;
    if (!client.poll(deaf) || client.waiting_connect()) return false;
    return client.send(std::array{std::byte{5}}) && link.poll(deaf).value() == 1;
  }
};

using Verdicts = std::vector<std::error_code>;

/// A good message, then `bytes`, then the end: how the channel ends.
std::error_code end_of(Bytes bytes, bool and_close = false, std::span<const int> rights = {}) {
  Server server;
  auto client = server.welcomed_client();
  const std::array<std::byte, 3> good{};
  say(client, frame(good));
  say(client, bytes, rights);
  if (and_close) client.reset();
  std::size_t messages = 0;
  const auto listener = [&](Bytes) { ++messages; };
  CHECK(server.link.poll(listener).value() == 1);
  const auto error = server.link.wait(listener, 1h).error();
  CHECK(messages == 1);
  CHECK(server.link.poll(listener).error() == error);
  CHECK(server.link.send(good).error() == error);
  return error;
}

}  // namespace

TEST_CASE("a peer that keeps the rules of sockets by hand is heard", "[hostile][socket]") {
  Server server;
  auto client = server.welcomed_client();
  CHECK(server.link.peer().credentials.pid == ::getpid());
  std::array<std::byte, 100> answer;
  CHECK(::read(client.get(), answer.data(), answer.size()) == 8 + 16);
  const std::array<std::byte, 3> message{};
  say(client, frame(message));
  say(client, frame({}));
  CHECK(server.link.poll(deaf).value() == 2);
}

TEST_CASE("a Hello of wrong bytes through a socket is malformed", "[hostile][socket]") {
  Server server;
  const auto hello = server.hello();
  auto wrong_magic = hello;
  wrong_magic[8] ^= std::byte{1};
  auto wrong_length = hello;
  wrong_length[0] ^= std::byte{1};
  auto longer = hello;
  longer.push_back(std::byte{0});
  const std::vector<std::byte> garbage(300, std::byte{0x5a});
  for (const Bytes bytes : {Bytes(wrong_magic), Bytes(wrong_length), Bytes(longer), Bytes(garbage),
                            Bytes(hello).first(3), Bytes(hello).first(8), Bytes(hello).first(40)}) {
    auto client = knock(server.name);
    say(client, bytes);
    CAPTURE(bytes.size());
    CHECK(server.verdicts() == Verdicts{Errc::malformed});
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Hello with descriptors is malformed and leaves none behind", "[hostile][socket]") {
  Server server;
  const auto file = a_file();
  auto client = knock(server.name);
  say(client, server.hello(), std::array{file.get(), file.get()});
  CHECK(server.verdicts() == Verdicts{Errc::malformed});
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("who knocks at a socket and leaves is told apart from the right one",
          "[hostile][socket]") {
  Server server;
  knock(server.name).reset();
  CHECK(server.verdicts() == Verdicts{Errc::peer_closed});
  auto other = Link::connect(server.name, Token::generate().value()).value();
  CHECK(server.verdicts() == Verdicts{Errc::bad_token});
  CHECK(other.poll(deaf).error() == Errc::bad_token);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("silent clients at a socket, however many, do not keep an honest one out",
          "[hostile][socket]") {
  Server server;
  std::vector<Descriptor> silent;
  for (int i = 0; i != 20; ++i) silent.push_back(knock(server.name));
  auto client = Link::connect(server.name, server.token).value();
  for (int i = 0; i != 20; ++i) silent.push_back(knock(server.name));
  for (int i = 0; i != 40 && server.link.waiting_connect(); ++i) REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  CHECK(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
}

TEST_CASE("a frame on a socket that makes no sense ends the channel", "[hostile][socket]") {
  const std::array<std::byte, 8> body{};
  CHECK(end_of(frame({8, 0, 1}, body)) == Errc::malformed);
  CHECK(end_of(frame({8, 0, 255}, body)) == Errc::malformed);
  CHECK(end_of(frame({8, 0, 0, 1}, body)) == Errc::malformed);
  CHECK(end_of(frame(body, 1)) == Errc::malformed);
  CHECK(end_of(frame(body, 65535)) == Errc::malformed);
  CHECK(end_of(frame({limits.max_message_bytes + 1, 0, 0}, {})) == Errc::message_too_large);
  CHECK(end_of(frame({0xffff'ffff, 0, 0}, body)) == Errc::message_too_large);
}

TEST_CASE("a frame on a socket that is cut off by the end is not a message", "[hostile][socket]") {
  const std::vector<std::byte> body(20'000);
  const auto whole = frame(body);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9},
                                 std::size_t{19'000}, whole.size() - 1}) {
    CAPTURE(size);
    CHECK(end_of(Bytes(whole).first(size), true) == Errc::peer_closed);
  }
}
