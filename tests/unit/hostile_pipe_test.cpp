// Peers that break the rules of the FIFO transport by hand.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/pipe_transport.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
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
  void on_refused(std::error_code why, const strait::PeerCredentials&) { seen.push_back(why); }
};
constexpr ChannelOptions limits{.max_message_bytes = std::size_t{1} << 20,
                                .handshake_timeout_ms = 3'600'000,
                                .max_half_open = 4};
using Link = strait::Channel<strait::PipeTransport, strait::RawSerializer, limits, Refusals>;

const auto deaf = [](Bytes) {};

std::vector<std::byte> frame(std::uint32_t claimed, std::uint16_t tag, std::uint8_t continued,
                             Bytes body) {
  const FrameHeader header{claimed, tag, continued};
  std::vector<std::byte> bytes(sizeof header + body.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
  return bytes;
}
std::vector<std::byte> frame(Bytes body, std::uint16_t tag = 0) {
  return frame(static_cast<std::uint32_t>(body.size()), tag, 0, body);
}

void write_all(const Descriptor& to, Bytes bytes) {
  REQUIRE(::write(to.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

/// A client that makes its FIFOs and says what it likes.
struct RawClient {
  explicit RawClient(const std::string& name, int number = 0) {
    const auto place = strait::posix::NamePlace::of(name);
    directory = place.parent + "/" + place.name;
    stem = std::string(32 - std::to_string(number).size(), 'a') + std::to_string(number);
  }
  ~RawClient() {
    ::unlink(path(".up").c_str());
    ::unlink(path(".dn").c_str());
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  std::string path(const char* suffix) const { return directory + "/" + stem + suffix; }
  void make() {
    for (const char* suffix : {".up", ".dn"}) {
      REQUIRE(::mkfifo(path(suffix).c_str(), 0600) == 0);
    }
    out = strait::posix::open(path(".up").c_str(), O_RDWR | O_NONBLOCK).value();
    in = strait::posix::open(path(".dn").c_str(), O_RDONLY | O_NONBLOCK).value();
  }
  void announce(const std::string& line) {
    const auto hello =
        strait::posix::open((directory + "/hello").c_str(), O_WRONLY | O_NONBLOCK).value();
    write_all(hello, std::as_bytes(std::span(line.data(), line.size())));
  }
  void come_with(Bytes hello) {
    make();
    write_all(out, hello);
    announce(stem + "\n");
  }

  std::string directory, stem;
  Descriptor out, in;
};

struct Server {
  std::string name = strait_test::unique_name("hostile");
  Token token = Token::generate().value();
  Link link = Link::listen(name, token).value();

  std::vector<std::byte> hello() const {
    return frame(strait::detail::encode_hello(strait::RawSerializer::schema_hash, token).bytes());
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
std::error_code end_of(Bytes bytes, bool and_close = false) {
  Server server;
  RawClient client(server.name);
  client.come_with(server.hello());
  REQUIRE(server.link.poll(deaf));
  REQUIRE_FALSE(server.link.waiting_connect());
  const std::array<std::byte, 3> good{};
  write_all(client.out, frame(good));
  write_all(client.out, bytes);
  if (and_close) client.out.reset();
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

TEST_CASE("a peer that keeps the rules of FIFOs by hand is heard", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  client.come_with(server.hello());
  REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  std::array<std::byte, 100> answer;
  CHECK(::read(client.in.get(), answer.data(), answer.size()) == 8 + 16);
  const std::array<std::byte, 3> message{};
  write_all(client.out, frame(message));
  write_all(client.out, frame({}));
  CHECK(server.link.poll(deaf).value() == 2);
}

TEST_CASE("nonsense in the FIFO of announcements is passed over", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  const std::string good(32, 'b');
  for (const std::string& line :
       {std::string("\n\n\n"), std::string("hello\n"), good + "\n" /* no such FIFOs */,
        good + "b\n", std::string(32, 'G') + "\n", std::string("../../../../../../etc/passwd\n"),
        std::string("../../../../../../../etc/passwd0\n"), std::string(31, '\0') + "\n",
        std::string(4000, 'x') + "\n", std::string(4000, '\n'), std::string("no end")}) {
    client.announce(line);
    CHECK(server.verdicts().empty());
  }
  client.announce("\n");
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("an announcement of what are no FIFOs is passed over", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  // Files.
  for (const char* suffix : {".up", ".dn"}) {
    strait::posix::open(client.path(suffix).c_str(), O_CREAT | O_WRONLY, 0600).value();
  }
  client.announce(client.stem + "\n");
  CHECK(server.verdicts().empty());
  for (const char* suffix : {".up", ".dn"}) ::unlink(client.path(suffix).c_str());
  // Links, to FIFOs even.
  RawClient other(server.name, 7);
  other.make();
  for (const char* suffix : {".up", ".dn"}) {
    REQUIRE(::symlink(other.path(suffix).c_str(), client.path(suffix).c_str()) == 0);
  }
  client.announce(client.stem + "\n");
  CHECK(server.verdicts().empty());
  // One of the two is missing.
  REQUIRE(::unlink(other.path(".dn").c_str()) == 0);
  client.announce(other.stem + "\n");
  CHECK(server.verdicts().empty());
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("announcements of nonsense without end do not keep the server", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  const std::string lines(60'000, '\n');
  for (int i = 0; i != 50; ++i) {
    client.announce(lines);
    CHECK(server.verdicts().empty());
    // It may leave some for later, but not all.
    while (strait::posix::events_now(server.link.native_handle(), POLLIN) != 0) server.verdicts();
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Hello of wrong bytes through a FIFO is malformed", "[hostile][pipe]") {
  Server server;
  const auto hello = server.hello();
  auto wrong_magic = hello;
  wrong_magic[8] ^= std::byte{1};
  auto wrong_length = hello;
  wrong_length[0] ^= std::byte{1};
  auto longer = hello;
  longer.push_back(std::byte{0});
  const std::vector<std::byte> garbage(300, std::byte{0x5a});
  int number = 0;
  for (const Bytes bytes : {Bytes(wrong_magic), Bytes(wrong_length), Bytes(longer), Bytes(garbage),
                            Bytes(hello).first(3), Bytes(hello).first(8), Bytes(hello).first(40)}) {
    RawClient client(server.name, ++number);
    client.come_with(bytes);
    CAPTURE(number);
    CHECK(server.verdicts() == Verdicts{Errc::malformed});
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a wrong token through a FIFO is told to the client", "[hostile][pipe]") {
  Server server;
  const auto other = Token::generate().value();
  auto client = Link::connect(server.name, other).value();
  CHECK(server.verdicts() == Verdicts{Errc::bad_token});
  CHECK(client.poll(deaf).error() == Errc::bad_token);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("silent clients at FIFOs, however many, do not keep an honest one out",
          "[hostile][pipe]") {
  Server server;
  std::vector<std::unique_ptr<RawClient>> silent;
  const auto come = [&](int number) {
    silent.push_back(std::make_unique<RawClient>(server.name, number));
    silent.back()->come_with({});
  };
  for (int i = 0; i != 20; ++i) come(i);
  auto client = Link::connect(server.name, server.token).value();
  for (int i = 20; i != 40; ++i) come(i);
  REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  CHECK(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
}

TEST_CASE("a frame that makes no sense ends the channel", "[hostile][pipe]") {
  const std::array<std::byte, 8> body{};
  CHECK(end_of(frame(8, 0, 1, body)) == Errc::malformed);
  CHECK(end_of(frame(8, 0, 0xff, body)) == Errc::malformed);
  CHECK(end_of(frame(body, 1)) == Errc::malformed);
  CHECK(end_of(frame(body, 65535)) == Errc::malformed);
  CHECK(end_of(frame(limits.max_message_bytes + 1, 0, 0, {})) == Errc::message_too_large);
  CHECK(end_of(frame(0xffff'ffff, 0, 0, body)) == Errc::message_too_large);
}

TEST_CASE("a frame that is cut off by the end is not a message", "[hostile][pipe]") {
  const std::vector<std::byte> body(20'000);
  const auto whole = frame(body);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9},
                                 std::size_t{19'000}, whole.size() - 1}) {
    CAPTURE(size);
    CHECK(end_of(Bytes(whole).first(size), true) == Errc::peer_closed);
  }
}

TEST_CASE("a message of a wrong size for its type ends a channel of FIFOs", "[hostile][pipe]") {
  struct Ping {
    std::uint64_t id;
  };
  using Serializer = strait::TrivialSerializer<Ping>;
  using Typed = strait::Channel<strait::PipeTransport, Serializer>;
  const auto name = strait_test::unique_name("hostile");
  const auto token = Token::generate().value();
  auto link = Typed::listen(name, token).value();
  RawClient client(name);
  client.come_with(frame(strait::detail::encode_hello(Serializer::schema_hash, token).bytes()));
  int pings = 0;
  const auto listener = [&](const Ping&) { ++pings; };
  REQUIRE(link.poll(listener));
  const std::vector<std::byte> body(9);
  write_all(client.out, frame(Bytes(body).first(8)));
  write_all(client.out, frame(body));
  CHECK(link.poll(listener).value() == 1);
  CHECK(link.poll(listener).error() == Errc::malformed);
  CHECK(pings == 1);
}
