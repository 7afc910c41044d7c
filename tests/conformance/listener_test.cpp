// What a listener may do to its own channel, and what becomes of the other messages.

#include <memory>
#include <stdexcept>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/overloaded.hpp"

using namespace strait_test;

namespace {

/// Five messages that have arrived and wait to be polled.
template <class T>
Pair<RawLink<T>> pair_with_five() {
  auto pair = connected_pair<RawLink<T>>();
  for (std::size_t i = 0; i != 5; ++i) REQUIRE(pair.client.send(pattern(100, i)));
  REQUIRE(pair.client.flush(long_enough));
  if constexpr (!arrives_at_once<T>) {
    const strait::Interests first{strait::Interest::to_read(pair.server.native_handle().value())};
    REQUIRE(strait::os::wait_for(first, strait::detail::Deadline::after(long_enough)));
  }
  return pair;
}

}  // namespace

TEMPLATE_TEST_CASE("a listener that echoes reaches its peer", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::size_t size = GENERATE(10u, 5'000u, 300'000u);
  std::size_t refused = 0;
  const auto echo = [&](View bytes) { refused += pair.server.send(bytes) ? 0 : 1; };
  for (std::size_t i = 0; i != 200; ++i) REQUIRE(pair.client.send(pattern(size, i)));
  REQUIRE(pump_until(pair.server, echo, pair.client, pair.at_client,
                     [&] { return pair.at_client.messages.size() == 200; }));
  CHECK(refused == 0);
  for (std::size_t i = 0; i != 200; ++i) {
    REQUIRE(same_bytes(pair.at_client.messages[i], pattern(size, i)));
  }
}

TEMPLATE_TEST_CASE("stop leaves the rest for the next poll", "[listener]", STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  const auto stop = [&](View bytes) {
    pair.at_server(bytes);
    pair.server.stop();
  };
  SECTION("of poll") { CHECK(pair.server.poll(stop).value() == 1); }
  SECTION("of wait") { CHECK(pair.server.wait(stop, long_enough).value() == 1); }
  SECTION("of run") { CHECK(pair.server.run(stop)); }
  CHECK(pair.at_server.messages.size() == 1);
  REQUIRE(pair.deliver_to_server(5));
  for (std::size_t i = 0; i != 5; ++i) {
    CHECK(same_bytes(pair.at_server.messages[i], pattern(100, i)));
  }
}

TEMPLATE_TEST_CASE("one poll gives all that a poll before it has left by stop", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  CHECK(pair.server.poll([&](View) { pair.server.stop(); }).value() == 1);
  if constexpr (arrives_at_once<TestType>) {
    CHECK(pair.server.poll(pair.at_server).value() == 4);
  } else {
    CHECK(pair.deliver_to_server(4));
  }
}

TEMPLATE_TEST_CASE("stop in on_connected ends run before the first message", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  struct Stopper {
    RawLink<TestType>& link;
    std::size_t messages = 0;
    void on_connected(const strait::Peer&) { link.stop(); }
    void operator()(View) { ++messages; }
  };
  REQUIRE(pair.client.send(pattern(10)));
  // The server lets the client in by a flush, which announces nothing, and the client then sends.
  REQUIRE(pair.server.send(pattern(10)));
  for (const auto end = Clock::now() + long_enough;
       pair.at_client.messages.empty() && Clock::now() < end;) {
    static_cast<void>(pair.server.flush(0ms));
    static_cast<void>(pair.client.poll(pair.at_client));
  }
  Stopper stopper{pair.server};
  REQUIRE(pair.server.run(stopper));
  CHECK(stopper.messages == 0);
  CHECK(pair.server.wait(pair.at_server, long_enough).value() == 1);
}

TEMPLATE_TEST_CASE("close in a listener is the last thing that channel does", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  std::size_t heard = 0;
  std::error_code send_error;
  const auto close = [&](View) {
    ++heard;
    pair.server.close();
    send_error = pair.server.send(pattern(9)).error();
  };
  SECTION("of poll") { CHECK(pair.server.poll(close).value() == 1); }
  SECTION("of wait") { CHECK(pair.server.wait(close, long_enough).value() == 1); }
  SECTION("of run") { CHECK(pair.server.run(close)); }
  CHECK(heard == 1);
  CHECK(send_error == Errc::closed);
  CHECK(pair.server.poll(close).error() == Errc::closed);
  CHECK(heard == 1);
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
  CHECK(pair.at_client.messages.empty());
}

TEMPLATE_TEST_CASE("an answer followed by close in a listener is an answer", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  CHECK(pair.server.run([&](View) {
    static_cast<void>(pair.server.send(pattern(9)));
    pair.server.close();
  }));
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
  CHECK(pair.at_client.messages == std::vector<Bytes>{pattern(9)});
}

TEMPLATE_TEST_CASE("polling in a listener is busy and does no harm", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  std::vector<std::error_code> inner;
  const auto nested = [&](View bytes) {
    pair.at_server(bytes);
    inner.push_back(pair.server.poll(pair.at_server).error());
    inner.push_back(pair.server.wait(pair.at_server, long_enough).error());
    inner.push_back(pair.server.run(pair.at_server).error());
  };
  REQUIRE(poll_until(pair.server, nested, [&] { return pair.at_server.messages.size() >= 5; }));
  CHECK(inner == std::vector<std::error_code>(15, make_error_code(Errc::busy)));
  CHECK(pair.at_server.messages.size() == 5);
}

TEMPLATE_TEST_CASE("flushing in a listener is allowed", "[listener]", STRAIT_TEST_TRANSPORTS) {
  auto pair = pair_with_five<TestType>();
  std::size_t flushed = 0;
  const auto answer = [&](View) {
    flushed += pair.server.send(pattern(10)) && pair.server.flush(long_enough) ? 1 : 0;
  };
  CHECK(poll_until(pair.server, answer, [&] { return flushed == 5; }));
  CHECK(pair.deliver_to_client(5));
}

TEMPLATE_TEST_CASE("a listener that throws loses its message only", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  const std::size_t size = GENERATE(100u, 5'000u, 300'000u);
  for (std::size_t i = 0; i != 5; ++i) REQUIRE(pair.client.send(pattern(size, i)));
  const auto throws = [&](View bytes) {
    if (same_bytes(bytes, pattern(size, 2))) throw std::runtime_error("not this one");
    pair.at_server(bytes);
  };
  std::size_t thrown = 0;
  for (const auto end = Clock::now() + long_enough;
       pair.at_server.messages.size() < 4 && Clock::now() < end;) {
    try {
      static_cast<void>(pair.server.poll(throws));
    } catch (const std::runtime_error&) {
      ++thrown;
    }
    static_cast<void>(pair.client.poll(pair.at_client));
  }
  CHECK(thrown == 1);
  REQUIRE(pair.at_server.messages.size() == 4);
  CHECK(same_bytes(pair.at_server.messages[2], pattern(size, 3)));
  REQUIRE(pair.server.send(pattern(3)));
  CHECK(pair.deliver_to_client(1));
}

TEMPLATE_TEST_CASE("an on_connected that throws is not called again", "[listener]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  struct Thrower {
    int calls = 0;
    void on_connected(const strait::Peer&) {
      ++calls;
      throw std::runtime_error("I did not want company");
    }
    void operator()(View) {}
  };
  Thrower thrower;
  for (const auto end = Clock::now() + long_enough; thrower.calls == 0 && Clock::now() < end;) {
    try {
      static_cast<void>(pair.server.poll(thrower));
    } catch (const std::runtime_error&) {
    }
    static_cast<void>(pair.client.poll(pair.at_client));
  }
  CHECK(pair.server.poll(thrower));
  CHECK(thrower.calls == 1);
  REQUIRE(pair.client.send(pattern(3)));
  CHECK(pair.deliver_to_server(1));
}

TEMPLATE_TEST_CASE("a channel goes on where it is moved to, and says closed where it was",
                   "[listener]", STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  const bool connected = GENERATE(false, true);
  if (connected) REQUIRE(pair.connect());
  REQUIRE(pair.server.send(pattern(1000, 1)));
  REQUIRE(pair.client.send(pattern(1000, 2)));
  auto server = std::make_unique<RawLink<TestType>>(std::move(pair.server));
  auto client = std::make_unique<RawLink<TestType>>(std::move(pair.client));
  for (auto* from : {&pair.server, &pair.client}) {
    Inbox inbox;
    CHECK(from->send(pattern(1000, 3)).error() == Errc::closed);
    CHECK(from->poll(inbox).error() == Errc::closed);
    CHECK(from->flush(0ms).error() == Errc::closed);
    CHECK_FALSE(from->waiting_connect());
    CHECK(from->queued_bytes() == 0);
    from->close();
  }
  REQUIRE(server->send(pattern(1000, 4)));
  REQUIRE(pump_until(*server, pair.at_server, *client, pair.at_client, [&] {
    return pair.at_server.messages.size() == 1 && pair.at_client.messages.size() == 2;
  }));
  CHECK(pair.at_client.messages == std::vector<Bytes>{pattern(1000, 1), pattern(1000, 4)});
  // And back: the place is as good as new.
  pair.server = std::move(*server);
  server.reset();
  REQUIRE(pair.server.send(pattern(10)));
  REQUIRE(poll_until(*client, pair.at_client, [&] { return pair.at_client.messages.size() == 3; }));
}
