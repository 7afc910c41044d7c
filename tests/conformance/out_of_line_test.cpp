// Buffers for large messages: the same for the user over every transport, wherever they lie.

#include "strait/memory/out_of_line.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;
using strait::OutOfLine;
using strait::OutOfLineBytes;

namespace {

/// A listener that keeps the buffers themselves.
struct BufferKeeper {
  std::vector<OutOfLineBytes> kept{};
  void operator()(OutOfLineBytes buffer) { kept.push_back(std::move(buffer)); }
};

template <class Link>
OutOfLineBytes filled(Link& link, std::size_t size, std::uint64_t seed) {
  auto buffer = link.out_of_line_bytes(size).value();
  REQUIRE(buffer.size() == size);
  fill_pattern(buffer.writable().value(), seed);
  return buffer;
}

struct Frame {
  static constexpr std::size_t words = 1 << 20;
  std::array<std::uint64_t, words> pixels;
};
struct Done {
  std::uint64_t frames;
};

}  // namespace

TEMPLATE_TEST_CASE("a buffer that is given away arrives, and is gone", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  for (const std::size_t size : {0ul, 1ul, 100ul, 4095ul, 4096ul, 5000ul, 70'000ul, 3ul << 20}) {
    CAPTURE(size);
    auto buffer = filled(pair.client, size, size);
    REQUIRE(pair.client.send(std::move(buffer)));
    CHECK(buffer.size() == 0);
    REQUIRE(pair.deliver_to_server(1));
    CHECK(same_bytes(pair.at_server.messages.front(), pattern(size, size)));
    pair.at_server.messages.clear();
  }
}

TEMPLATE_TEST_CASE("a buffer that is sent as it is stays the sender's, who may go on writing",
                   "[out_of_line]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  constexpr std::size_t size = 300'000;
  auto buffer = filled(pair.client, size, 0);
  const auto old = buffer.writable().value();
  for (std::uint64_t round = 0; round != 5; ++round) {
    // Twice as it is, then changed; and the receiver looks only when it has been changed.
    REQUIRE(pair.client.send(buffer));
    REQUIRE(pair.client.send(buffer));
    CHECK(same_bytes(buffer, pattern(size, round)));
    fill_pattern(buffer.writable().value(), round + 1);
    REQUIRE(pair.deliver_to_server(2));
    for (const auto& message : pair.at_server.messages) {
      CHECK(same_bytes(message, pattern(size, round)));
    }
    pair.at_server.messages.clear();
  }
  // By way of an old answer, too: nothing that was sent changes.
  REQUIRE(pair.client.send(buffer));
  fill_pattern(old, 77);
  REQUIRE(pair.deliver_to_server(1));
  CHECK(same_bytes(pair.at_server.messages.front(), pattern(size, 5)));
}

TEMPLATE_TEST_CASE("a buffer of which parts are written arrives whole, again and again",
                   "[out_of_line]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  auto pair = connected_pair<Link>();
  constexpr std::size_t size = 20'000;
  auto buffer = pair.client.out_of_line_bytes(size).value();
  fill_pattern(buffer.writable().value(), 1);
  auto expected = pattern(size, 1);
  std::vector<OutOfLineBytes> kept;
  std::vector<std::vector<std::byte>> kept_expected;
  for (std::size_t i = 0; i != 12; ++i) {
    for (const std::size_t at : {std::size_t{0}, 1000 * i, size - 8}) {
      const auto part = buffer.writable(at, 8).value();
      fill_pattern(part, i + at);
      std::copy(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(at));
    }
    REQUIRE(pair.client.send(buffer));
    bool came = false;
    const auto listener = [&](OutOfLineBytes received) {
      came = true;
      CHECK(same_bytes(received.bytes(), expected));
      if (i % 4 == 0) {
        kept.push_back(std::move(received));
        kept_expected.push_back(expected);
      }
    };
    REQUIRE(poll_until(pair.server, listener, [&] {
      static_cast<void>(pair.client.flush(0ms));
      return came;
    }));
  }
  for (std::size_t i = 0; i != kept.size(); ++i) {
    CHECK(same_bytes(kept[i].bytes(), kept_expected[i]));
  }
}

TEMPLATE_TEST_CASE("a listener may keep buffers, write to them, and outlive the channel with them",
                   "[out_of_line]", STRAIT_TEST_TRANSPORTS) {
  auto pair = std::make_unique<Pair<RawLink<TestType>>>(connected_pair<RawLink<TestType>>());
  BufferKeeper keeper;
  constexpr std::size_t size = 200'000;
  auto again = filled(pair->client, size, 1);
  // Given away, sent again and again, and no buffer at all.
  std::size_t sent = 0;
  for (std::uint64_t round = 0; round != 4; ++round) {
    REQUIRE(pair->client.send(filled(pair->client, size, 2)));
    REQUIRE(pair->client.send(again));
    REQUIRE(pair->client.send(pattern(size, 3)));
    REQUIRE(pair->client.send(pattern(10, 4)));
    sent += 4;
    REQUIRE(pump_until(pair->server, keeper, pair->client, pair->at_client,
                       [&] { return keeper.kept.size() == sent; }));
    // What one receiver writes, no later one finds.
    for (std::size_t i = sent - 4; i != sent; ++i) {
      const std::size_t which = i % 4;
      CHECK(same_bytes(keeper.kept[i], pattern(which == 3 ? 10 : size, which == 0   ? 2
                                                                       : which == 1 ? 1
                                                                                    : which + 1)));
      fill_pattern(keeper.kept[i].writable().value(), 100 + i);
    }
  }
  CHECK(same_bytes(again, pattern(size, 1)));
  pair.reset();
  for (std::size_t i = 0; i != sent; ++i) {
    CHECK(same_bytes(keeper.kept[i], pattern(i % 4 == 3 ? 10 : size, 100 + i)));
  }
  // In any order.
  std::swap(keeper.kept.front(), keeper.kept[sent / 2]);
  keeper.kept.clear();
  CHECK(same_bytes(again, pattern(size, 1)));
}

TEMPLATE_TEST_CASE("a type of 8 MiB is written and read in place", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = strait::Channel<TestType, strait::TrivialSerializer<Frame, Done>>;
  auto pair = fresh_pair<Link>();
  std::uint64_t frames = 0;
  bool right = true;
  const auto look = [&](const Frame& frame) {
    right = right && reinterpret_cast<std::uintptr_t>(&frame) % 64 == 0 &&
            frame.pixels.front() == frames && frame.pixels.back() == frames + 1;
    ++frames;
  };
  std::optional<OutOfLine<Frame>> last;
  auto on_server = strait::overloaded{
      look, [&](const Done&) { static_cast<void>(pair.server.send(Done{frames})); }};
  std::uint64_t answered = 0;
  auto on_client = strait::overloaded{[&](OutOfLine<Frame> frame) { last = std::move(frame); },
                                      [&](const Done& done) { answered = done.frames; }};
  REQUIRE(pump_until(pair.server, on_server, pair.client, on_client, [&] {
    return !pair.server.waiting_connect() && !pair.client.waiting_connect();
  }));
  auto frame = pair.client.template out_of_line<Frame>().value();
  for (std::uint64_t i = 0; i != 3; ++i) {
    Frame& pixels = *frame.writable().value();
    pixels.pixels.front() = i;
    pixels.pixels.back() = i + 1;
    REQUIRE(pair.client.send(frame));
    CHECK(frame->pixels.back() == i + 1);
  }
  REQUIRE(pair.client.send(Done{0}));
  REQUIRE(
      pump_until(pair.server, on_server, pair.client, on_client, [&] { return answered != 0; }));
  CHECK(answered == 3);
  CHECK(right);
  REQUIRE(pair.server.send(std::move(frame)));  // made by the other end, which is as good
  CHECK_FALSE(frame);
  REQUIRE(
      pump_until(pair.server, on_server, pair.client, on_client, [&] { return last.has_value(); }));
  CHECK((*last)->pixels.back() == 3);
  last->writable().value()->pixels.back() = 9;
  CHECK((*last)->pixels.back() == 9);
}

TEMPLATE_TEST_CASE("buffers and other messages keep their order", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  auto again = filled(pair.client, 20'000, 0);
  for (std::size_t i = 0; i != 60; ++i) {
    switch (i % 3) {
      case 0: REQUIRE(pair.client.send(again)); break;
      case 1: REQUIRE(pair.client.send(filled(pair.client, 50'000, i))); break;
      default: REQUIRE(pair.client.send(pattern(i, i)));
    }
  }
  REQUIRE(pair.deliver_to_server(60));
  for (std::size_t i = 0; i != 60; ++i) {
    CAPTURE(i);
    CHECK(same_bytes(pair.at_server.messages[i], i % 3 == 0   ? pattern(20'000, 0)
                                                 : i % 3 == 1 ? pattern(50'000, i)
                                                              : pattern(i, i)));
  }
}

TEMPLATE_TEST_CASE("a buffer that is not sent is still the caller's", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  constexpr strait::ChannelOptions narrow{.max_message_bytes = 1 << 20,
                                          .max_queued_bytes = 100'000};
  auto pair = connected_pair<RawLink<TestType, narrow>, RawLink<TestType>>();
  CHECK(pair.server.out_of_line_bytes((1 << 20) + 1).error() == Errc::message_too_large);
  auto larger = filled(pair.client, (1 << 20) + 1, 5);
  CHECK(pair.server.send(std::move(larger)).error() == Errc::message_too_large);
  CHECK(larger.size() == (1 << 20) + 1);
  // Until there is no room: the one that is refused can be sent later.
  std::size_t sent = 0;
  std::error_code told;
  OutOfLineBytes buffer;
  while (!told) {
    buffer = filled(pair.server, 30'000, sent);
    told = pair.server.send(std::move(buffer)).error();
    if (!told) ++sent;
    REQUIRE(sent < 100'000);
  }
  CHECK(told == Errc::queue_full);
  CHECK(same_bytes(buffer, pattern(30'000, sent)));
  REQUIRE(pair.deliver_to_client(sent));
  for (std::size_t i = 0; i != sent; ++i) {
    REQUIRE(same_bytes(pair.at_client.messages[i], pattern(30'000, i)));
  }
  REQUIRE(pair.server.send(std::move(buffer)));
  REQUIRE(pair.deliver_to_client(sent + 1));
  buffer = filled(pair.server, 30'000, 1);
  pair.client.close();
  REQUIRE(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  CHECK(pair.server.send(std::move(buffer)).error() == Errc::peer_closed);
  CHECK(pair.server.send(buffer).error() == Errc::peer_closed);
  CHECK(same_bytes(buffer, pattern(30'000, 1)));
}

TEMPLATE_TEST_CASE("buffers can be had, filled and sent before there is a peer", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(filled(pair.client, 100'000, 1)));
  REQUIRE(pair.server.send(filled(pair.server, 100'000, 2)));
  REQUIRE(pair.deliver_to_server(1));
  REQUIRE(pair.deliver_to_client(1));
  CHECK(same_bytes(pair.at_server.messages.front(), pattern(100'000, 1)));
  CHECK(same_bytes(pair.at_client.messages.front(), pattern(100'000, 2)));
}

TEMPLATE_TEST_CASE("a buffer that was received can be sent on", "[out_of_line]",
                   STRAIT_TEST_TRANSPORTS) {
  auto first = connected_pair<RawLink<TestType>>();
  auto second = connected_pair<RawLink<TestType>>();
  BufferKeeper keeper;
  for (std::uint64_t i = 0; i != 6; ++i) {
    auto buffer = filled(first.client, 90'000, i);
    // Sent twice, it may be kept at the receiver.
    REQUIRE(first.client.send(buffer));
    REQUIRE(first.client.send(buffer));
    REQUIRE(first.client.send(buffer));
    REQUIRE(pump_until(first.server, keeper, first.client, first.at_client,
                       [&] { return keeper.kept.size() == 3; }));
    REQUIRE(second.client.send(keeper.kept[0]));
    REQUIRE(second.client.send(std::move(keeper.kept[1])));
    fill_pattern(keeper.kept[2].writable().value(), 50);
    REQUIRE(second.client.send(keeper.kept[2]));
    REQUIRE(second.client.send(std::move(keeper.kept[2])));
    REQUIRE(second.deliver_to_server(4));
    for (std::size_t k = 0; k != 4; ++k) {
      CHECK(same_bytes(second.at_server.messages[k], pattern(90'000, k < 2 ? i : 50)));
    }
    second.at_server.messages.clear();
    keeper.kept.clear();
  }
}

TEST_CASE("an empty buffer is a message without bytes", "[out_of_line]") {
  auto pair = connected_pair<RawLink<Mach>>();
  OutOfLineBytes empty;
  CHECK(empty.writable().value().empty());
  REQUIRE(pair.client.send(empty));
  REQUIRE(pair.client.send(std::move(empty)));
  REQUIRE(pair.deliver_to_server(2));
  CHECK(pair.at_server.messages.back().empty());
}

TEMPLATE_TEST_CASE("what is under way out of line counts as queued, and stays within the bound",
                   "[ool][queue]", STRAIT_TEST_OUT_OF_LINE) {
  constexpr strait::ChannelOptions narrow{.max_queued_bytes = 1 << 20};
  auto pair = connected_pair<RawLink<TestType, narrow>>();
  CHECK(pair.client.queued_bytes() == 0);
  std::size_t sent = 0;
  for (;; ++sent) {
    REQUIRE(sent < 100);
    auto buffer = pair.client.out_of_line_bytes(200'000).value();
    const auto taken = pair.client.send(std::move(buffer));
    if (!taken) {
      CHECK(taken.error() == Errc::queue_full);
      break;
    }
  }
  CHECK(sent >= 3);
  CHECK(pair.client.queued_bytes() >= 3 * 200'000);
  CHECK(pair.client.queued_bytes() <= narrow.max_queued_bytes);
  REQUIRE(pair.deliver_to_server(sent));
  CHECK(pair.client.queued_bytes() == 0);
  auto buffer = pair.client.out_of_line_bytes(200'000).value();
  CHECK(pair.client.send(std::move(buffer)));
  // One message always goes, whatever its size.
  REQUIRE(pair.deliver_to_server(sent + 1));
  auto large = pair.client.out_of_line_bytes(std::size_t{4} << 20).value();
  CHECK(pair.client.send(std::move(large)));
}
