// Peers that break the rules of the socket transport by hand.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strait/transports/socket.hpp>

#include <array>
#include <string>
#include <vector>

#include "support/hostile_frames.hpp"

using strait::Errc;
using strait::Token;
using strait::os::Descriptor;
using namespace strait_test::frames;

namespace {

using Server = strait_test::frames::FrameServer<strait::SocketTransport>;
using Link = Server::Link;

Descriptor a_file() { return strait::os::open("/dev/null", O_RDONLY).value(); }

struct RawClient {
  explicit RawClient(const std::string& name) {
    const auto directory = strait::os::NamePlace::of(name).directory();
    const auto path =
        strait::os::SocketPath::of(directory + "/" + strait::os::NameDirectory::hello_name).value();
    REQUIRE(::connect(socket.get(), path.get(), path.size) == 0);
  }
  void say(Bytes bytes, std::span<const int> descriptors = {}) const {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    REQUIRE(strait::os::send_parts(socket.get(), {&part, 1}, descriptors).value() == bytes.size());
  }
  void come_with(Bytes hello) const { say(hello); }
  ssize_t receive(std::span<std::byte> into) const {
    return ::read(socket.get(), into.data(), into.size());
  }
  void leave() { socket.reset(); }

  Descriptor socket = strait::os::stream_socket().value();
};

RawClient welcomed_client(Server& server) {
  RawClient client(server.name);
  client.say(server.hello());
  REQUIRE(server.link.poll(deaf));
  REQUIRE_FALSE(server.link.waiting_connect());
  return client;
}

std::error_code end_of(Bytes bytes, bool and_close) {
  Server server;
  auto client = welcomed_client(server);
  return server.end_by(client, bytes, and_close);
}

}  // namespace

TEST_CASE("a peer that keeps the rules of sockets by hand is heard", "[hostile][socket]") {
  check_rules_kept_by_hand<Server, RawClient>();
}

TEST_CASE("a peer at a socket is known by the process it is", "[hostile][socket]") {
  Server server;
  const auto client = welcomed_client(server);
  CHECK(server.link.peer().credentials.pid == ::getpid());
}

TEST_CASE("a client that speaks as ever through a socket is understood, and answered as ever",
          "[wire][socket]") {
  check_wire_bytes<Server, RawClient>();
}

TEST_CASE("a Hello of wrong bytes through a socket is malformed", "[hostile][socket]") {
  Server server;
  for (const Bytes bytes : server.wrong_hellos()) {
    RawClient client(server.name);
    client.say(bytes);
    CAPTURE(bytes.size());
    CHECK(server.verdicts() == Verdicts{Errc::malformed});
    CHECK(server.last_refused.pid == ::getpid());
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Hello with descriptors is malformed and leaves none behind", "[hostile][socket]") {
  Server server;
  const auto file = a_file();
  const RawClient client(server.name);
  client.say(server.hello(), std::array{file.get(), file.get()});
  CHECK(server.verdicts() == Verdicts{Errc::malformed});
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Welcome that is a message with a tag or rights is malformed", "[hostile][socket]") {
  const auto welcome = strait::detail::encode_welcome({});
  const auto file = a_file();
  for (const auto& [tag, rights] : {std::pair{0, 0}, std::pair{1, 0}, std::pair{0, 1}}) {
    CAPTURE(tag, rights);
    auto ends = strait::SocketTransport::connected_pair().value();
    auto name = strait::SocketTransport::look_up(std::move(ends[0])).value();
    auto link = std::move(name).hello({}).value();
    const auto bytes =
        frame({16, static_cast<std::uint16_t>(tag), 0, static_cast<std::uint8_t>(rights)},
              welcome.bytes());
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const std::array files{file.get()};
    REQUIRE(strait::os::send_parts(ends[1].get(), {&part, 1},
                                   std::span(files).first(static_cast<std::size_t>(rights))));
    const auto heard = strait::detail::check_welcome(link.welcome().value().bytes());
    CHECK(heard.has_value() == (tag == 0 && rights == 0));
    CHECK((heard || heard.error() == Errc::malformed));
  }
}

TEST_CASE("who knocks at a socket and leaves is told apart from the right one",
          "[hostile][socket]") {
  Server server;
  RawClient(server.name).leave();
  CHECK(server.verdicts() == Verdicts{Errc::peer_closed});
  auto other = Link::connect(server.name, Token::generate().value()).value();
  CHECK(server.verdicts() == Verdicts{Errc::bad_token});
  CHECK(other.poll(deaf).error() == Errc::bad_token);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("silent clients at a socket, however many, do not keep an honest one out",
          "[hostile][socket]") {
  Server server;
  std::vector<RawClient> silent;
  for (int i = 0; i != 20; ++i) silent.emplace_back(server.name);
  auto client = Link::connect(server.name, server.token).value();
  for (int i = 0; i != 20; ++i) silent.emplace_back(server.name);
  for (int i = 0; i != 40 && server.link.waiting_connect(); ++i) REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  CHECK(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
}

TEST_CASE("a frame on a socket that makes no sense ends the channel", "[hostile][socket]") {
  check_senseless_frames(end_of);
}

TEST_CASE("a frame on a socket that is cut off by the end is not a message", "[hostile][socket]") {
  check_cut_frames(end_of);
}
