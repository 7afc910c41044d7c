// Peers over ZeroMQ that were let in and cost more than they should, or speak by hand.

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/zmq_links.hpp"
#include "adapters/zmq_raw_client.hpp"
#include "support/catch.hpp"
#include "support/wire_bytes.hpp"

using namespace strait_test;
using strait::detail::ZmqKind;

namespace {

using RawZmqLink = RawLink<strait::ZmqTransport>;
const auto ignore_bytes = [](const auto&...) {};

std::string bytes_of(std::string_view hex) {
  const auto bytes = wire::from_hex(hex);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Polls the server until something has come from it.
template <class Server>
std::string next_from(Server& server, RawClient& client) {
  std::string came;
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(ignore_bytes));
    came = client.receive();
    return !came.empty();
  }));
  return wire::to_hex(std::as_bytes(std::span(came.data(), came.size())));
}

/// One side of a connection that is not encrypted, in frames as they are on the wire.
class FramePeer {
 public:
  explicit FramePeer(std::uint16_t port) : FramePeer(connect_plainly(port), "DEALER") {}
  FramePeer(strait::os::Descriptor socket, const char* type) : socket_(std::move(socket)) {
    std::string greeting("\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL", 16);
    greeting.resize(64);
    const std::string ready = std::string("\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06", 24) + type;
    REQUIRE(send(greeting));
    REQUIRE(send(ready));
    // The other side's: what comes before it has said that much libzmq may leave lying.
    std::array<char, 107> answer;
    REQUIRE(::recv(socket_.get(), answer.data(), answer.size(), MSG_WAITALL) == 107);
  }

  /// False when the other side has ended the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send_hello(const strait::Token& token) {
    const auto terms = PlainLink::terms(token);
    const auto hello = strait::detail::encode_hello(terms.schema.hash, terms.token, terms.options,
                                                    terms.schema.digests);
    const strait::detail::ZmqHeader header{ZmqKind::hello};
    std::string frame("\0\x88", 2);
    frame.append(reinterpret_cast<const char*>(&header), sizeof header);
    frame.append(reinterpret_cast<const char*>(hello.bytes().data()), hello.bytes().size());
    return send(frame);
  }
  void answer_if_asked() {
    std::array<char, 64> came;
    const auto size = ::recv(socket_.get(), came.data(), came.size(), MSG_DONTWAIT);
    if (size <= 0) return;
    constexpr std::string_view asked("\x07\0hz", 4);
    const std::string_view bytes(came.data(), static_cast<std::size_t>(size));
    if (bytes.find(asked) == bytes.npos) return;
    const strait::detail::ZmqHeader header{ZmqKind::answer, 0, 1};
    std::string frame("\0\x10", 2);
    frame.append(reinterpret_cast<const char*>(&header), sizeof header);
    REQUIRE(send(frame));
  }
  /// A frame that says that another one follows.
  bool send_unfinished(std::size_t bytes) {
    std::string frame("\x03\0\0\0\0", 5);
    for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(bytes >> shift & 255);
    frame.resize(frame.size() + bytes);
    return send(frame);
  }

  using PlainLink = ZmqLinkOver<strait::Plaintext>;

 private:
  strait::os::Descriptor socket_;
};

}  // namespace

TEST_CASE("a client that speaks as ever over ZeroMQ is understood, and answered as ever",
          "[zmq][wire]") {
  if (!wire::is_little) return;
  auto serving = serve_zmq<RawZmqLink>({}, wire::token());
  auto& server = serving.server;
  RawClient client(serving.endpoint, wire::token());
  // Kind, credit and number come before everything.
  client.send(bytes_of("0100687a000000000000000000000000" + wire::raw_hello()));
  CHECK(next_from(server, client) == "0700687a000000000000000000000000");
  client.send(bytes_of("0800687a000000000100000000000000"));
  CHECK(next_from(server, client) ==
        "0200687a000000000100000000000000" + std::string(wire::good_welcome));
  client.send(bytes_of("0300687a000000000200000000000000" + std::string(wire::framed_hello)));
  Inbox inbox;
  REQUIRE(poll_until(server, inbox, [&] { return !inbox.messages.empty(); }));
  CHECK(wire::to_hex(inbox.messages[0]) == "68656c6c6f");
  REQUIRE(server.send(std::string("strait")));
  CHECK(next_from(server, client) ==
        "0300687a000000000200000000000000" + std::string(wire::framed_strait));
  server.close();
  std::string last;
  REQUIRE(repeat_until([&] { return !(last = client.receive()).empty(); }));
  CHECK(last == bytes_of("0500687a000000000300000000000000"));
}

TEST_CASE("memory for a large message grows with what has arrived", "[zmq][hostile]") {
  const auto token = new_token();
  auto serving = serve_zmq<RawZmqLink>({}, token);
  auto& server = serving.server;
  RawClient bad(serving.endpoint, token);
  bad.hello<RawZmqLink>(token);
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(ignore_bytes));
    if (!server.waiting_connect()) return true;
    bad.answer_if_asked();
    return false;
  }));
  // What the frame's header says is all that the channel takes.
  const strait::detail::FrameHeader header{std::uint32_t{256} << 20, 0, 0, 0};
  std::string part(reinterpret_cast<const char*>(&header), sizeof header);
  part.resize(strait::detail::zmq_part_bytes);
  const std::size_t before = resident_bytes();
  bad.send(ZmqKind::data, part);
  // As many parts as the client has credit for, which comes back when they were read.
  for (int parts = 1; parts != 15; ++parts) bad.send(ZmqKind::data, part);
  CHECK(next_from(server, bad).starts_with("0200687a"));
  CHECK(next_from(server, bad).starts_with("0400687a"));
  if (counts_memory) CHECK(resident_bytes() < before + (std::size_t{16} << 20));
}

TEST_CASE("connections on which nothing is said keep nobody out", "[zmq][hostile]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  std::vector<strait::os::Descriptor> mute;
  for (int i = 0; i != 300; ++i) mute.push_back(connect_plainly(serving.port));
  auto client = ZmqCountLink::connect(serving.endpoint, token).value();
  auto& server = serving.server;
  CHECK(pump_until(server, ignore_bytes, client, ignore_bytes,
                   [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
}

TEST_CASE("a client that does not say that it is still there keeps nobody out, and is sent away",
          "[zmq][hostile]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  RawClient mute(serving.endpoint, token);
  mute.hello(token);
  CHECK(next_from(server, mute).starts_with("0700687a"));
  SECTION("while another one is let in") {
    auto client = ZmqCountLink::connect(serving.endpoint, token).value();
    CHECK(pump_until(server, ignore_bytes, client, ignore_bytes,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  }
  SECTION("when no other comes") {
    CHECK(next_from(server, mute).starts_with("0500687a"));
    CHECK(server.waiting_connect());
  }
}

TEST_CASE("a client that leaves at any moment before it is looked at takes no server with it",
          "[zmq][hostile]") {
  for (int round = 0; round != 40; ++round) {
    const auto token = new_token();
    auto serving = serve_zmq<ZmqCountLink>({}, token);
    for (int i = 0; i != 5; ++i) {
      const auto leaving = ZmqCountLink::connect(serving.endpoint, token).value();
      std::this_thread::sleep_for(std::chrono::microseconds((round * 5 + i) * 37 % 6000));
    }
    auto client = ZmqCountLink::connect(serving.endpoint, token).value();
    auto& server = serving.server;
    REQUIRE(pump_until(server, ignore_bytes, client, ignore_bytes,
                       [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
    REQUIRE(client.send(Count{42}));
    std::uint64_t came = 0;
    REQUIRE(repeat_until([&] {
      static_cast<void>(server.poll([&](const Count& count) { came = count.value; }));
      return came == 42;
    }));
  }
}

TEST_CASE("a message of frames without an end is ended before it fills the memory",
          "[zmq][hostile]") {
  const bool welcomed = GENERATE(true, false);
  CAPTURE(welcomed);
  const auto token = new_token();
  using Server = strait::Acceptor<FramePeer::PlainLink>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  struct Listener {
    std::size_t connected = 0;
    std::vector<std::error_code> ends;
    void operator()(FramePeer::PlainLink& link, const Count& count) { link.send(count).value(); }
    void on_connected(FramePeer::PlainLink&) { ++connected; }
    void on_closed(FramePeer::PlainLink&, std::error_code why) { ends.push_back(why); }
  } listener;
  const auto serve_until = [&](const auto& done) {
    return repeat_until([&] {
      static_cast<void>(server.wait(listener, 1ms));
      return done();
    });
  };
  auto honest = FramePeer::PlainLink::connect(serving.endpoint, token).value();
  FramePeer bad(serving.port);
  if (welcomed) REQUIRE(bad.send_hello(token));
  REQUIRE(serve_until([&] {
    static_cast<void>(honest.poll(ignore_bytes));
    if (welcomed) bad.answer_if_asked();
    return listener.connected == (welcomed ? 2U : 1U);
  }));
  const std::size_t before = resident_bytes();
  constexpr std::size_t frame = 60'000;
  std::size_t sent = 0;
  // As fast as a good network.
  while (sent < std::size_t{2} << 30 && bad.send_unfinished(frame)) {
    sent += frame;
    if (sent / frame % 16 == 0) static_cast<void>(server.wait(listener, 10ms));
  }
  CHECK(sent < std::size_t{2} << 30);
  if (counts_memory) CHECK(resident_bytes() < before + (std::size_t{128} << 20));
  CHECK(serve_until([&] { return !welcomed || !listener.ends.empty(); }));
  if (welcomed) CHECK(listener.ends == std::vector{make_error_code(Errc::malformed)});
  std::uint64_t answer = 0;
  REQUIRE(honest.send(Count{42}));
  CHECK(serve_until([&] {
    static_cast<void>(honest.poll([&](const Count& count) { answer = count.value; }));
    return answer == 42;
  }));
  CHECK(server.size() == 1);
}

TEST_CASE("a server that sends frames without an end is left", "[zmq][hostile]") {
  const strait::os::Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listening.get(), 1) == 0);
  REQUIRE(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  auto link =
      FramePeer::PlainLink::connect(endpoint_of(ntohs(address.sin_port)), new_token()).value();
  FramePeer bad(strait::os::Descriptor(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)),
                "ROUTER");
  const std::size_t before = resident_bytes();
  constexpr std::size_t frame = 60'000;
  std::size_t sent = 0;
  std::error_code ended;
  while (sent < std::size_t{2} << 30 && bad.send_unfinished(frame)) {
    sent += frame;
    if (sent / frame % 16 != 0 || ended) continue;
    if (const auto waited = link.wait(ignore_bytes, 10ms); !waited) ended = waited.error();
  }
  CHECK(sent < std::size_t{2} << 30);
  if (counts_memory) CHECK(resident_bytes() < before + (std::size_t{128} << 20));
  if (!ended) ended = poll_until_error(link, ignore_bytes);
  CHECK(ended == Errc::malformed);
}
