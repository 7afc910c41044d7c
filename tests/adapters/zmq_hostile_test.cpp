// Peers over ZeroMQ that were let in and cost more than they should, or speak by hand.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
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

}  // namespace

TEST_CASE("a client that speaks as ever over ZeroMQ is understood, and answered as ever",
          "[zmq][wire]") {
  if (!wire::is_little) return;
  auto serving = serve_zmq<RawZmqLink>({}, wire::token());
  auto& server = serving.server;
  RawClient client(serving.endpoint, wire::token());
  // Kind, credit and number come before everything.
  client.send(bytes_of("0100687a000000000000000000000000" + wire::raw_hello()));
  CHECK(next_from(server, client) ==
        "0200687a000000000000000000000000" + std::string(wire::good_welcome));
  client.send(bytes_of("0300687a000000000100000000000000" + std::string(wire::framed_hello)));
  Inbox inbox;
  REQUIRE(poll_until(server, inbox, [&] { return !inbox.messages.empty(); }));
  CHECK(wire::to_hex(inbox.messages[0]) == "68656c6c6f");
  REQUIRE(server.send(std::string("strait")));
  CHECK(next_from(server, client) ==
        "0300687a000000000100000000000000" + std::string(wire::framed_strait));
  server.close();
  std::string last;
  REQUIRE(repeat_until([&] { return !(last = client.receive()).empty(); }));
  CHECK(last == bytes_of("0500687a000000000200000000000000"));
}

TEST_CASE("memory for a large message grows with what has arrived", "[zmq][hostile]") {
  const auto token = new_token();
  auto serving = serve_zmq<RawZmqLink>({}, token);
  auto& server = serving.server;
  RawClient bad(serving.endpoint, token);
  bad.hello<RawZmqLink>(token);
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(ignore_bytes));
    return !server.waiting_connect();
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
  std::vector<strait::posix::Descriptor> mute;
  for (int i = 0; i != 300; ++i) mute.push_back(connect_plainly(serving.port));
  auto client = ZmqCountLink::connect(serving.endpoint, token).value();
  auto& server = serving.server;
  CHECK(pump_until(server, ignore_bytes, client, ignore_bytes,
                   [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
}
