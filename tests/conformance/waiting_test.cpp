// How wait, run and flush sleep: long enough, not too long, in every transport's own way.

#include <atomic>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

TEMPLATE_TEST_CASE("wait waits at least as long as asked, and says 0 then", "[waiting]",
                   STRAIT_TEST_WAITING) {
  auto pair = fresh_pair<RawLink<TestType>>();
  const bool connected = GENERATE(false, true);
  if (connected) REQUIRE(pair.connect());
  for (const auto asked : {0us, 1us, 900us, 7000us}) {
    for (auto* link : {&pair.server, &pair.client}) {
      if (!connected && link == &pair.server) continue;  // it would let the client in at once
      Inbox inbox;
      const auto start = Clock::now();
      CHECK(link->wait(inbox, asked).value() == 0);
      CHECK(Clock::now() - start >= asked);
    }
  }
  // No time at all, or less, is a poll.
  CHECK(pair.client.wait(pair.at_client, -1h).value() == 0);
  CHECK(pair.client.wait(pair.at_client, std::chrono::nanoseconds::min()).value() == 0);
}

TEMPLATE_TEST_CASE("wait handles what is there already, however long it may wait", "[waiting]",
                   STRAIT_TEST_WAITING) {
  auto pair = connected_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(pattern(1)));
  CHECK(pair.server.wait(pair.at_server, std::chrono::hours::max()).value() == 1);
  REQUIRE(pair.client.send(pattern(1)));
  if constexpr (arrives_at_once<TestType>) {
    CHECK(pair.server.wait(pair.at_server, 0ms).value() == 1);
  } else {
    CHECK(repeat_until([&] { return pair.server.wait(pair.at_server, 0ms).value() == 1; }));
  }
}

TEMPLATE_TEST_CASE("two threads that wait for each other in turns never sleep through a message",
                   "[waiting]", STRAIT_TEST_WAITING) {
  auto pair = connected_pair<RawLink<TestType>>();
  constexpr std::uint64_t rounds = 1000;
  bool echoed = true;
  std::thread server([&] {
    std::uint64_t answered = 0;
    while (echoed && answered != rounds) {
      const auto waited = pair.server.wait(
          [&](View bytes) {
            ++answered;
            echoed = echoed && pair.server.send(bytes);
          },
          long_enough);
      echoed = echoed && waited && *waited != 0;
    }
  });
  StreamCheck received;
  bool sent = true;
  while (sent && received.count() != rounds) {
    const auto next = received.count();
    sent = static_cast<bool>(pair.client.send(StreamCheck::message(next)));
    while (sent && received.count() == next) {
      const auto waited = pair.client.wait(received, long_enough);
      sent = waited && *waited != 0;
    }
  }
  server.join();
  CHECK(echoed);
  CHECK(sent);
  CHECK(received.count() == rounds);
  CHECK(received.wrong() == std::nullopt);
}

TEMPLATE_TEST_CASE("run handles messages until stop, again and again, and until the peer is gone",
                   "[waiting]", STRAIT_TEST_WAITING) {
  auto pair = connected_pair<RawLink<TestType>>();
  std::thread client([&, link = std::move(pair.client)]() mutable {
    for (std::uint64_t i = 0; i != 300; ++i) static_cast<void>(link.send(StreamCheck::message(i)));
    static_cast<void>(link.flush(long_enough));
  });
  StreamCheck received;
  const auto stop_at_hundreds = [&](View bytes) {
    received(bytes);
    if (received.count() % 100 == 0) pair.server.stop();
  };
  for (const std::uint64_t count : {100u, 200u, 300u}) {
    CHECK(pair.server.run(stop_at_hundreds));
    CHECK(received.count() == count);
  }
  CHECK(pair.server.run(stop_at_hundreds).error() == Errc::peer_closed);
  client.join();
  CHECK(received.wrong() == std::nullopt);
}

TEMPLATE_TEST_CASE("run lets its client in and sends what was queued", "[waiting]",
                   STRAIT_TEST_WAITING) {
  auto pair = fresh_pair<RawLink<TestType>>();
  REQUIRE(pair.server.send(pattern(4)));
  REQUIRE(pair.client.send(pattern(5)));
  std::error_code error;
  std::thread server([&] {
    error = pair.server
                .run([&](View bytes) {
                  pair.at_server(bytes);
                  pair.server.stop();
                })
                .error();
  });
  CHECK(pair.client.run([&](View bytes) {
    pair.at_client(bytes);
    pair.client.stop();
  }));
  // The answer may have come in the same breath as the way for this end's own message.
  CHECK(pair.client.flush(long_enough));
  server.join();
  CHECK_FALSE(error);
  CHECK(pair.at_server.messages == std::vector<Bytes>{pattern(5)});
  CHECK(pair.at_client.messages == std::vector<Bytes>{pattern(4)});
}

TEMPLATE_TEST_CASE("flush sleeps until a slow reader has made room, over and over", "[waiting]",
                   STRAIT_TEST_WAITING) {
  auto pair = connected_pair<RawLink<TestType>>();
  constexpr std::uint64_t count = 2000;
  std::thread reader([&] {
    StreamCheck received;
    const auto one = [&](View bytes) {
      received(bytes);
      pair.server.stop();
    };
    while (received.count() != count) {
      const auto waited = pair.server.wait(one, long_enough);
      if (!waited || *waited == 0) return;
    }
    if (!received.wrong()) static_cast<void>(pair.server.send(pattern(1)));
  });
  for (std::uint64_t i = 0; i != count; ++i) {
    REQUIRE(pair.client.send(StreamCheck::message(i)));
    if (i % 50 == 49) REQUIRE(pair.client.flush(long_enough));
  }
  CHECK(pair.client.wait(pair.at_client, long_enough).value() == 1);
  reader.join();
}
