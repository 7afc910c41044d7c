// A peer that does not read: send never blocks, never loses, and stops at the bound.

#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

namespace {

void check_patterns(const Inbox& inbox, std::size_t count, std::size_t size = 1000) {
  REQUIRE(inbox.messages.size() == count);
  for (std::size_t i = 0; i != count; ++i) {
    CAPTURE(i);
    REQUIRE(same_bytes(inbox.messages[i], pattern(size, i)));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a full queue takes no more, keeps what it has, and takes again when drained",
                   "[queue]", STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  const std::size_t count = fill(pair.client);
  CHECK(count > bound / 2000);
  CHECK(pair.client.queued_bytes() <= bound);
  CHECK(pair.client.queued_bytes() > bound - 2000);
  for (int i = 0; i != 3; ++i) {
    CHECK(pair.client.send(pattern(1000)).error() == Errc::queue_full);
  }
  REQUIRE(pair.deliver_to_server(count));
  CHECK(pair.client.queued_bytes() == 0);
  REQUIRE(pair.client.send(pattern(1000, count)));
  REQUIRE(pair.deliver_to_server(count + 1));
  check_patterns(pair.at_server, count + 1);
}

TEMPLATE_TEST_CASE("the bound holds before there is a peer, and both ends' queues arrive",
                   "[queue]", STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<BoundLink<TestType>>();
  const std::size_t from_client = fill(pair.client);
  const std::size_t from_server = fill(pair.server);
  CHECK(from_client == from_server);
  CHECK(pair.server.queued_bytes() <= bound);
  REQUIRE(pair.deliver_to_server(from_client));
  REQUIRE(pair.deliver_to_client(from_server));
  check_patterns(pair.at_server, from_client);
  check_patterns(pair.at_client, from_server);
}

TEMPLATE_TEST_CASE("an empty queue takes one message of any size", "[queue]", STRAIT_TEST_UNREAD) {
  constexpr std::size_t large = 1 << 20;
  SECTION("connected") {
    auto pair = connected_pair<BoundLink<TestType>>();
    const std::size_t count = fill(pair.client, large);
    CHECK(count >= 1);
    REQUIRE(pair.deliver_to_server(count));
    check_patterns(pair.at_server, count, large);
  }
  SECTION("not yet connected") {
    auto pair = fresh_pair<BoundLink<TestType>>();
    CHECK(fill(pair.client, large) == 1);
    REQUIRE(pair.deliver_to_server(1));
    check_patterns(pair.at_server, 1, large);
  }
}

TEMPLATE_TEST_CASE("who only sends gets through again once the peer has read", "[queue]",
                   STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  std::size_t count = fill(pair.client);
  for (int round = 0; round != 10; ++round) {
    while (pair.server.poll(pair.at_server).value() != 0) {
    }
    if constexpr (arrives_at_once<TestType>) {
      REQUIRE(pair.client.send(pattern(1000, count)));
    } else {
      REQUIRE(repeat_until([&] {
        static_cast<void>(pair.server.poll(pair.at_server));
        return pair.client.send(pattern(1000, count)).has_value();
      }));
    }
    ++count;
    while (pair.client.send(pattern(1000, count))) ++count;
  }
  REQUIRE(pair.deliver_to_server(count));
  check_patterns(pair.at_server, count);
}

TEMPLATE_TEST_CASE("flush says timed_out when the peer does not read, and loses nothing", "[queue]",
                   STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  CHECK(pair.client.flush(0ms));
  CHECK(pair.client.flush(long_enough));
  const std::size_t count = fill(pair.client);
  CHECK(pair.client.flush(0ms).error() == Errc::timed_out);
  const auto start = Clock::now();
  CHECK(pair.client.flush(15ms).error() == Errc::timed_out);
  CHECK(Clock::now() - start >= 15ms);
  CHECK(pair.client.queued_bytes() != 0);
  REQUIRE(pair.deliver_to_server(count));
  check_patterns(pair.at_server, count);
  CHECK(pair.client.flush(0ms));
}

TEMPLATE_TEST_CASE("flush before the peer is there waits for it", "[queue]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<BoundLink<TestType>>();
  CHECK(pair.client.flush(0ms));
  REQUIRE(pair.client.send(pattern(1000, 0)));
  REQUIRE(pair.server.send(pattern(1000, 0)));
  CHECK(pair.client.flush(5ms).error() == Errc::timed_out);
  std::error_code error;
  std::thread server([&] { error = pair.server.flush(long_enough).error(); });
  CHECK(pair.client.flush(long_enough));
  server.join();
  CHECK_FALSE(error);
  REQUIRE(pair.deliver_to_server(1));
  REQUIRE(pair.deliver_to_client(1));
  CHECK(pair.at_server.connected == 1);
  CHECK(pair.at_client.connected == 1);
}

TEMPLATE_TEST_CASE("flush returns when the peer has read, though messages wait to be read here",
                   "[queue]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<BoundLink<TestType>>();
  const bool unread = GENERATE(false, true);
  if (unread) REQUIRE(pair.server.send(pattern(77)));
  const std::size_t count = fill(pair.client);
  std::thread reader([&] {
    for (const auto end = Clock::now() + long_enough;
         pair.at_server.messages.size() < count && Clock::now() < end;) {
      static_cast<void>(pair.server.wait(pair.at_server, long_enough));
    }
  });
  const auto start = Clock::now();
  CHECK(pair.client.flush(long_enough));
  // Not when the time was up.
  CHECK(Clock::now() - start < long_enough / 2);
  reader.join();
  check_patterns(pair.at_server, count);
  if (unread) CHECK(pair.deliver_to_client(1));
}
