#include <strait/transports/bridged.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <poll.h>

#include "conformance/channels.hpp"

using namespace strait_test;

namespace {

using BridgedPipe = strait::BridgedTransport<strait::PipeTransport>;
static_assert(strait::Transport<BridgedPipe>);

using Link = RawLink<BridgedPipe, strait::ChannelOptions{.max_queued_bytes = 64 << 10}>;

/// Sends until nothing has gone for a while: until everything on the way is full.
template <class Link>
std::size_t fill_all(Link& link) {
  std::size_t count = 0;
  do {
    while (link.send(pattern(1000, count))) ++count;
  } while (link.flush(50ms));
  return count;
}

}  // namespace

TEST_CASE("a bridge reads ahead up to its bound, and then everything arrives in order",
          "[bridged]") {
  auto pair = connected_pair<Link>();
  REQUIRE(pair.server.poll(pair.at_server).value() == 0);  // its thread runs
  const std::size_t count = fill_all(pair.client);
  // The inbox, two FIFOs' worth, and the sender's queue.
  CHECK(count * 1008 < (1 << 20) + 2 * (1 << 20) + (64 << 10));
  REQUIRE(pair.deliver_to_server(count));
  for (std::size_t i = 0; i != count; ++i) {
    if (!same_bytes(pair.at_server.messages[i], pattern(1000, i))) FAIL("message " << i);
  }
}

TEST_CASE("a bridge ends with messages unread and its peer waiting for room", "[bridged]") {
  auto pair = connected_pair<Link>();
  REQUIRE(pair.server.poll(pair.at_server).value() == 0);
  static_cast<void>(fill_all(pair.client));
  pair.server.close();
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
}

TEST_CASE("the pipe of a bridge is readable as long as there are messages, and after the end",
          "[bridged]") {
  auto pair = connected_pair<Link>();
  const int handle = pair.server.native_handle();
  REQUIRE(handle >= 0);
  const auto readable = [&](int milliseconds) {
    pollfd one{handle, POLLIN, 0};
    return ::poll(&one, 1, milliseconds) == 1;
  };
  for (int round = 0; round != 100; ++round) {
    REQUIRE(pair.client.send(pattern(10)));
    REQUIRE(readable(5000));
    REQUIRE(pair.server.poll(pair.at_server));
  }
  REQUIRE(pair.deliver_to_server(100));
  pair.client.close();
  CHECK(readable(5000));
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  CHECK(readable(0));
}

TEMPLATE_TEST_CASE("who waits for room over a bridge hears of messages and of room", "[bridged]",
                   strait::PipeTransport, strait::SocketTransport, strait::MachTransport<>) {
  using Bridged = RawLink<strait::BridgedTransport<TestType>,
                          strait::ChannelOptions{.max_queued_bytes = 64 << 10}>;
  auto pair = connected_pair<Bridged>();
  REQUIRE(pair.client.poll(pair.at_client).value() == 0);  // its thread runs
  const int handle = pair.client.native_handle();
  REQUIRE(handle >= 0);
  // As a loop does it that polls the channel when it is due, and never else.
  const auto serve_client = [&] {
    pollfd one{handle, POLLIN, 0};
    if (::poll(&one, 1, 1) == 1) REQUIRE(pair.client.poll(pair.at_client));
  };
  std::size_t sent = 0;
  for (std::size_t round = 1; round != 20; ++round) {
    CAPTURE(round);
    sent += fill_all(pair.client);
    REQUIRE(pair.client.queued_bytes() != 0);
    REQUIRE(pair.server.send(pattern(10)));
    REQUIRE(repeat_until([&] {
      serve_client();
      return pair.at_client.messages.size() == round;
    }));
    REQUIRE(repeat_until([&] {
      REQUIRE(pair.server.poll(pair.at_server));
      serve_client();
      return pair.client.queued_bytes() == 0;
    }));
  }
  REQUIRE(pair.deliver_to_server(sent));
}
