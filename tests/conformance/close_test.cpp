// The end: before, while and after, with nothing lost that was handed over.

#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

namespace {

/// A listener that stops its channel after every message.
template <class Link>
struct OneByOne {
  Link& link;
  Inbox& inbox;
  void operator()(View bytes) {
    inbox(bytes);
    link.stop();
  }
};

}  // namespace

TEMPLATE_TEST_CASE("nothing there, no room and the end are three different things", "[close]",
                   STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  CHECK(pair.server.poll(pair.at_server).value() == 0);
  CHECK(pair.server.wait(pair.at_server, 1ms).value() == 0);
  while (pair.client.send(pattern(1000))) {
  }
  CHECK(pair.client.flush(1ms).error() == Errc::timed_out);
  CHECK(pair.client.poll(pair.at_client).value() == 0);
  pair.server.close();
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("the peer's end is told on every call from then on", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  auto& [closing, staying, unused, inbox] = pair;
  closing.close();
  CHECK(staying.wait(inbox, long_enough).error() == Errc::peer_closed);
  for (int i = 0; i != 3; ++i) {
    CHECK(staying.poll(inbox).error() == Errc::peer_closed);
    CHECK(staying.wait(inbox, long_enough).error() == Errc::peer_closed);
    CHECK(staying.run(inbox).error() == Errc::peer_closed);
    CHECK(staying.send(pattern(5)).error() == Errc::peer_closed);
    CHECK(staying.flush(long_enough).error() == Errc::peer_closed);
  }
  CHECK_FALSE(staying.waiting_connect());
  staying.close();
  CHECK(staying.poll(inbox).error() == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("an end that was closed says closed on every call", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  const bool connected = GENERATE(false, true);
  if (connected) REQUIRE(pair.connect());
  auto& link = GENERATE(false, true) ? pair.server : pair.client;
  REQUIRE(link.send(pattern(10)));
  link.close();
  link.close();
  Inbox inbox;
  CHECK_FALSE(link.waiting_connect());
  CHECK(link.queued_bytes() == 0);
  CHECK(link.poll(inbox).error() == Errc::closed);
  CHECK(link.wait(inbox, long_enough).error() == Errc::closed);
  CHECK(link.run(inbox).error() == Errc::closed);
  CHECK(link.send(pattern(5)).error() == Errc::closed);
  CHECK(link.flush(long_enough).error() == Errc::closed);
  CHECK(inbox.messages.empty());
}

TEMPLATE_TEST_CASE("what was handed over before the close is delivered before the end is seen",
                   "[close]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::vector<std::size_t> sizes =
      GENERATE(std::vector<std::size_t>{1}, std::vector<std::size_t>{0, 1, 100, 5000, 0, 30'000, 3},
               std::vector<std::size_t>(60, 1000));
  for (const std::size_t size : sizes) REQUIRE(pair.client.send(pattern(size, size)));
  REQUIRE(pair.client.flush(0ms));

  SECTION("closed") { pair.client.close(); }
  SECTION("destroyed") { static_cast<void>(RawLink<TestType>(std::move(pair.client))); }
  SECTION("replaced by another") {
    auto other = fresh_pair<RawLink<TestType>>();
    pair.client = std::move(other.client);
  }
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  REQUIRE(pair.at_server.messages.size() == sizes.size());
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(sizes[i], sizes[i])));
  }
}

TEMPLATE_TEST_CASE("everything flushed to a reading peer survives an immediate close", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::vector<std::size_t> sizes{3 << 20, 10, 300'000, 1 << 20, 2 << 20};
  std::thread sender([&, client = std::move(pair.client)]() mutable {
    for (const std::size_t size : sizes) static_cast<void>(client.send(pattern(size, size)));
    static_cast<void>(client.flush(long_enough));
  });
  std::error_code end;
  while (!end) {
    const auto waited = pair.server.wait(pair.at_server, long_enough);
    if (waited && *waited == 0) break;
    end = waited.error();
  }
  sender.join();
  CHECK(end == Errc::peer_closed);
  REQUIRE(pair.at_server.messages.size() == sizes.size());
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(sizes[i], sizes[i])));
  }
}

TEMPLATE_TEST_CASE("what was handed over arrives though the sender left wake-ups unread", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  std::vector<std::size_t> sizes;
  const auto send = [&](std::size_t size) {
    sizes.push_back(size);
    return static_cast<bool>(pair.client.send(pattern(size, sizes.size())));
  };
  while (pair.client.queued_bytes() == 0) REQUIRE(send(3000));
  // Now it waits for room, in vain ...
  CHECK(pair.client.wait(pair.at_client, 1ms).value() == 0);
  REQUIRE(send(300'000));
  REQUIRE(send(5000));
  // ... and is told that there is some, but does not look.
  OneByOne<RawLink<TestType>> one_by_one{pair.server, pair.at_server};
  bool flushed = false;
  for (const auto end = Clock::now() + long_enough; !flushed && Clock::now() < end;) {
    flushed = pair.client.flush(0ms).has_value();
    if (!flushed) static_cast<void>(pair.server.poll(one_by_one));
  }
  REQUIRE(flushed);
  pair.client.close();
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  REQUIRE(pair.at_server.messages.size() == sizes.size());
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(sizes[i], i + 1)));
  }
}

TEMPLATE_TEST_CASE("a peer that closes with messages unread does not take back its own", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::vector<std::size_t> sizes{10, 5000, 20'000};
  for (const std::size_t size : sizes) {
    REQUIRE(pair.server.send(pattern(size, 1)));
    REQUIRE(pair.client.send(pattern(size, 2)));
  }
  REQUIRE(pair.server.flush(0ms));
  REQUIRE(pair.client.flush(0ms));
  pair.client.close();
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  REQUIRE(pair.at_server.messages.size() == sizes.size());
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(sizes[i], 2)));
  }
}

TEMPLATE_TEST_CASE("a close in the middle of a large message gives the whole ones and the end",
                   "[close]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(pattern(100, 1)));
  REQUIRE(pair.client.send(pattern(32 << 20, 2)));
  const bool whole = pair.client.flush(0ms).has_value();  // out of line it is there already
  pair.client.close();
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  REQUIRE(pair.at_server.messages.size() == (whole ? 2 : 1));
  CHECK(same_bytes(pair.at_server.messages[0], pattern(100, 1)));
}

TEMPLATE_TEST_CASE("sending to a peer that is gone ends in peer_closed and never in a signal",
                   "[close]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  pair.server.close();
  const std::size_t size = GENERATE(10u, 5000u, 300'000u);
  std::error_code told;
  for (const auto end = Clock::now() + long_enough; !told && Clock::now() < end;) {
    told = pair.client.send(pattern(size)).error();
    if (!told) told = pair.client.poll(pair.at_client).error();
  }
  CHECK(told == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("flush tells the end of a peer that never made room, before the time is up",
                   "[close]", STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  while (pair.client.send(pattern(1000))) {
  }
  const auto start = Clock::now();
  std::error_code told;
  SECTION("gone before") {
    pair.server.close();
    told = pair.client.flush(long_enough).error();
  }
  SECTION("gone meanwhile") {
    std::thread flushing([&] { told = pair.client.flush(long_enough).error(); });
    pair.server.close();
    flushing.join();
  }
  CHECK(told == Errc::peer_closed);
  CHECK(Clock::now() - start < long_enough / 2);
}

TEMPLATE_TEST_CASE("a waiting end is woken by its peer's close", "[close]", STRAIT_TEST_WAITING) {
  auto pair = connected_pair<RawLink<TestType>>();
  std::error_code end;
  std::thread waiting([&] { end = pair.server.run(pair.at_server).error(); });
  pair.client.close();
  waiting.join();
  CHECK(end == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("who polls now and then hears of the end after a few polls", "[close]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  REQUIRE(pair.server.poll(pair.at_server));
  { const auto gone = std::move(pair.client); }
  int polls = 0;
  for (; polls != 64; ++polls) {
    if (!pair.server.poll(pair.at_server)) break;
    std::this_thread::sleep_for(10ms);
  }
  CHECK(polls <= 8);
}
