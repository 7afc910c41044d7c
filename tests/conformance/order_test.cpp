// Nothing lost, nothing twice, nothing out of order.

#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

namespace {

constexpr std::uint64_t message_count = 10'000;

/// Sends what the channel takes of the messages below `count`; false when something else is wrong.
template <class Link>
bool send_more(Link& link, std::uint64_t& next, std::uint64_t count, std::uint64_t seed,
               int at_most = 20) {
  for (int i = 0; i != at_most && next != count; ++i, ++next) {
    const auto sent = link.send(StreamCheck::message(next, seed));
    if (!sent) return sent.error() == Errc::queue_full;
  }
  return true;
}

template <class T>
using NarrowLink = RawLink<T, strait::ChannelOptions{.max_queued_bytes = 100'000}>;

}  // namespace

TEMPLATE_TEST_CASE("10,000 messages of mixed sizes, both ways at once, arrive whole and in order",
                   "[order]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<NarrowLink<TestType>>();
  StreamCheck at_server(0);
  StreamCheck at_client(1);
  std::uint64_t from_server = 0;
  std::uint64_t from_client = 0;
  bool sent = true;
  REQUIRE(pump_until(pair.server, at_server, pair.client, at_client, [&] {
    sent = sent && send_more(pair.client, from_client, message_count, 0, 23) &&
           send_more(pair.server, from_server, message_count, 1, 17);
    return !sent || (at_server.count() == message_count && at_client.count() == message_count);
  }));
  CHECK(sent);
  CHECK(at_server.wrong() == std::nullopt);
  CHECK(at_client.wrong() == std::nullopt);
}

TEMPLATE_TEST_CASE("a stream between two threads arrives whole and in order", "[order]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<NarrowLink<TestType>>();
  std::error_code sender_error;
  std::thread sender([&, client = std::move(pair.client)]() mutable {
    const auto deaf = [](View) {};
    for (std::uint64_t next = 0; next != message_count;) {
      const auto sent = client.send(StreamCheck::message(next));
      if (sent) {
        ++next;
      } else if (sent.error() == Errc::queue_full) {
        if (const auto waited = client.wait(deaf, 1ms); !waited) sender_error = waited.error();
      } else {
        sender_error = sent.error();
      }
      if (sender_error) return;
    }
    sender_error = client.flush(long_enough).error();
  });
  StreamCheck received;
  std::error_code end;
  while (!end) {
    const auto waited = pair.server.wait(received, long_enough);
    if (waited && *waited == 0) break;
    end = waited.error();
  }
  sender.join();
  CHECK(end == Errc::peer_closed);
  CHECK_FALSE(sender_error);
  CHECK(received.count() == message_count);
  CHECK(received.wrong() == std::nullopt);
}

TEMPLATE_TEST_CASE("what is sent before the other end is there arrives first", "[order]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  constexpr std::uint64_t early = 500;
  constexpr std::uint64_t late = 600;
  for (std::uint64_t i = 0; i != early; ++i) {
    REQUIRE(pair.server.send(StreamCheck::message(i)));
    REQUIRE(pair.client.send(StreamCheck::message(i)));
  }
  CHECK(pair.client.queued_bytes() != 0);
  StreamCheck at_server;
  StreamCheck at_client;
  REQUIRE(pump_until(pair.server, at_server, pair.client, at_client, [&] {
    return !pair.server.waiting_connect() && !pair.client.waiting_connect();
  }));
  for (std::uint64_t i = early; i != late; ++i) {
    REQUIRE(pair.server.send(StreamCheck::message(i)));
    REQUIRE(pair.client.send(StreamCheck::message(i)));
  }
  CHECK(pump_until(pair.server, at_server, pair.client, at_client,
                   [&] { return at_server.count() == late && at_client.count() == late; }));
  CHECK(at_server.wrong() == std::nullopt);
  CHECK(at_client.wrong() == std::nullopt);
  CHECK(pair.client.queued_bytes() == 0);
  CHECK(pair.server.queued_bytes() == 0);
}

TEMPLATE_TEST_CASE("a large message between small ones does not overtake nor is overtaken",
                   "[order]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::vector<std::size_t> sizes{1, 3 << 20, 2, 5000, 300'000, 3, 0, 1 << 20, 4};
  for (int round = 0; round != 3; ++round) {
    for (const std::size_t size : sizes) REQUIRE(pair.server.send(pattern(size, size)));
  }
  REQUIRE(pair.deliver_to_client(3 * sizes.size()));
  for (std::size_t i = 0; i != 3 * sizes.size(); ++i) {
    const std::size_t size = sizes[i % sizes.size()];
    CAPTURE(i, size);
    CHECK(same_bytes(pair.at_client.messages[i], pattern(size, size)));
  }
}
