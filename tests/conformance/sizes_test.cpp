// Every size a message can have, and the ones it can't.

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

namespace {

/// Where some transport changes its ways, and one byte to either side: words, pages, what a FIFO
/// writes atomically, fragments, thresholds, half of a ring and all of it.
std::vector<std::size_t> boundary_sizes() {
  std::vector<std::size_t> sizes{0, 1, 2};
  for (const std::size_t edge :
       {8ul, 16ul, 64ul, 4096ul, 8192ul, 32ul << 10, 64ul << 10, (128ul << 10) - 16, 128ul << 10,
        256ul << 10, 512ul << 10, 1ul << 20}) {
    for (const std::size_t size : {edge - 9, edge - 8, edge - 1, edge, edge + 1, edge + 8}) {
      if (size < (2ul << 20)) sizes.push_back(size);
    }
  }
  return sizes;
}

template <class T>
using SmallLink = RawLink<T, strait::ChannelOptions{.max_message_bytes = 100'000}>;

void echo_sizes(auto& pair, const std::vector<std::size_t>& sizes) {
  std::uint64_t seed = 0;
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    const Bytes sent = pattern(size, ++seed);
    REQUIRE(pair.client.send(sent));
    REQUIRE(pair.deliver_to_server(1));
    REQUIRE(same_bytes(pair.at_server.messages.front(), sent));
    REQUIRE(pair.server.send(pair.at_server.messages.front()));
    REQUIRE(pair.deliver_to_client(1));
    REQUIRE(same_bytes(pair.at_client.messages.front(), sent));
    pair.at_server.messages.clear();
    pair.at_client.messages.clear();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a message of every critical size goes there and back unchanged", "[sizes]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  echo_sizes(pair, boundary_sizes());
}

TEMPLATE_TEST_CASE("messages of all critical sizes, sent at once, arrive in order", "[sizes]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const auto sizes = boundary_sizes();
  for (const std::size_t size : sizes) REQUIRE(pair.client.send(pattern(size, size)));
  REQUIRE(pair.deliver_to_server(sizes.size()));
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CAPTURE(i, sizes[i]);
    REQUIRE(same_bytes(pair.at_server.messages[i], pattern(sizes[i], sizes[i])));
  }
}

TEMPLATE_TEST_CASE("a message of 8 MiB goes there and back unchanged", "[sizes]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  echo_sizes(pair, {8 << 20, (8 << 20) + 1, 3});
}

// Four times as long under the thread sanitizer, and smaller ones show it all the same.
TEMPLATE_TEST_CASE("a message of 256 MiB arrives unchanged, and one more byte is too large",
                   "[sizes][slow][serial][no-tsan]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  Bytes message = pattern((256ul << 20) + 1, 1);
  CHECK(pair.client.send(message).error() == Errc::message_too_large);
  message.pop_back();
  REQUIRE(pair.client.send(message));
  std::size_t received = 0;
  bool same = false;
  const auto compare = [&](View bytes) {
    received = bytes.size();
    same = same_bytes(bytes, message);
  };
  // Encrypted, it takes a busy machine longer than any other one.
  for (int times = 0; received == 0 && times != 5; ++times) {
    pump_until(pair.server, compare, pair.client, pair.at_client, [&] { return received != 0; });
  }
  CHECK(received == 256ul << 20);
  CHECK(same);
}

TEMPLATE_TEST_CASE("a message over the limit is not sent, and the channel goes on", "[sizes]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<SmallLink<TestType>>();
  REQUIRE(pair.client.send(pattern(100'000, 1)));
  CHECK(pair.client.send(pattern(100'001, 2)).error() == Errc::message_too_large);
  CHECK(pair.client.send(pattern(1 << 20, 3)).error() == Errc::message_too_large);
  REQUIRE(pair.client.send(pattern(5, 4)));
  REQUIRE(pair.deliver_to_server(2));
  CHECK(same_bytes(pair.at_server.messages[0], pattern(100'000, 1)));
  CHECK(same_bytes(pair.at_server.messages[1], pattern(5, 4)));
}

TEMPLATE_TEST_CASE("a message over the limit is refused before there is a peer, too", "[sizes]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<SmallLink<TestType>>();
  CHECK(pair.client.send(pattern(100'001)).error() == Errc::message_too_large);
  CHECK(pair.server.send(pattern(100'001)).error() == Errc::message_too_large);
  CHECK(pair.client.queued_bytes() == 0);
  CHECK(pair.connect());
}

TEMPLATE_TEST_CASE("who sends more than the receiver's limit is cut off after what was good",
                   "[sizes]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<SmallLink<TestType>, RawLink<TestType>>();
  const std::size_t size = GENERATE(100'001u, 1u << 20, 16u << 20);
  for (std::size_t i = 0; i != 10; ++i) REQUIRE(pair.client.send(pattern(9'999, i)));
  REQUIRE(pair.client.send(pattern(size, 10)));
  static_cast<void>(pair.client.send(pattern(3, 11)));

  std::error_code told;
  REQUIRE(pair.pump_until([&] {
    const auto polled = pair.server.poll(pair.at_server);
    if (!polled) told = polled.error();
    return !polled;
  }));
  CHECK(told == Errc::message_too_large);
  REQUIRE(pair.at_server.messages.size() == 10);
  for (std::size_t i = 0; i != 10; ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(9'999, i)));
  }
  CHECK(pair.server.poll(pair.at_server).error() == Errc::message_too_large);
  CHECK(pair.server.send(pattern(1)).error() == Errc::message_too_large);
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
}
