// A loop of the user's own: it sleeps in ::poll on native_handle() and calls poll when that is
// readable. A wake-up too few is a hang, one that never ends is a busy loop.

#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/serializers/trivial.hpp"
#include "support/descriptor_limit.hpp"
#include "support/readable.hpp"

using namespace strait_test;

namespace {

bool readable(auto& link, std::chrono::milliseconds within = 0ms) {
  return readable_within(link.native_handle(), within);
}

/// Polls until nothing is left, as a loop does that was woken.
template <class Link, class Listener>
void drain(Link& link, Listener& listener) {
  while (link.poll(listener).value() != 0) {
  }
}

/// A connected pair of which both are drained and watched.
template <class Link>
Pair<Link> watched_pair() {
  auto pair = connected_pair<Link>();
  for (int i = 0; i != 2; ++i) {
    REQUIRE(pair.server.native_handle());
    REQUIRE(pair.client.native_handle());
    drain(pair.server, pair.at_server);
    drain(pair.client, pair.at_client);
  }
  return pair;
}

}  // namespace

TEMPLATE_TEST_CASE("the handle is readable when a message comes and not when all are handled",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  auto pair = watched_pair<RawLink<TestType>>();
  CHECK(pair.server.native_handle() == pair.server.native_handle());
  std::size_t sent = 0;
  for (const std::size_t size : {0u, 10u, 5000u, 200'000u}) {
    CAPTURE(size);
    CHECK_FALSE(readable(pair.server));
    REQUIRE(pair.client.send(pattern(size)));
    REQUIRE(pair.client.flush(0ms));
    ++sent;
    REQUIRE(readable(pair.server, long_enough));
    CHECK(readable(pair.server));
    // A large one may come in parts.
    while (pair.at_server.messages.size() != sent && readable(pair.server, long_enough)) {
      drain(pair.server, pair.at_server);
    }
    CHECK_FALSE(readable(pair.server));
    drain(pair.client, pair.at_client);
    CHECK_FALSE(readable(pair.client));
  }
  CHECK(pair.at_server.messages.size() == 4);
}

TEMPLATE_TEST_CASE("the handle stays readable while messages are left", "[native_handle]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = watched_pair<RawLink<TestType>>();
  for (std::uint64_t i = 0; i != 5; ++i) REQUIRE(pair.client.send(pattern(10, i)));
  std::size_t heard = 0;
  for (; heard != 5 && readable(pair.server, long_enough); ++heard) {
    REQUIRE(pair.server.poll([&](View) { pair.server.stop(); }).value() == 1);
  }
  CHECK(heard == 5);
  drain(pair.server, pair.at_server);
  CHECK_FALSE(readable(pair.server));
}

TEMPLATE_TEST_CASE("the handle is readable after a listener threw with messages left",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  auto pair = watched_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(pattern(10)));
  REQUIRE(pair.client.send(pattern(11)));
  REQUIRE(readable(pair.server, long_enough));
  CHECK_THROWS(pair.server.poll([](View) { throw 1; }));
  REQUIRE(readable(pair.server, long_enough));
  drain(pair.server, pair.at_server);
  CHECK_FALSE(readable(pair.server));
  REQUIRE(pair.client.send(pattern(12)));
  CHECK(readable(pair.server, long_enough));
}

TEMPLATE_TEST_CASE("the handle is readable, and stays so, when the peer closes", "[native_handle]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = watched_pair<RawLink<TestType>>();
  pair.client.close();
  REQUIRE(readable(pair.server, long_enough));
  std::error_code end;
  for (int i = 0; i != 3 && !end && readable(pair.server, long_enough); ++i) {
    end = pair.server.poll(pair.at_server).error();
  }
  CHECK(end == Errc::peer_closed);
  CHECK(readable(pair.server));
}

TEMPLATE_TEST_CASE("the handle is readable when a client knocks and when a server answers",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name();
  auto server = Link::listen(name, token).value();
  CHECK_FALSE(readable(server));
  auto client = Link::connect(name, token).value();
  Inbox at_server;
  Inbox at_client;
  CHECK_FALSE(readable(client));
  while (at_server.connected == 0 && readable(server, long_enough)) {
    REQUIRE(server.poll(at_server));
  }
  while (at_client.connected == 0 && readable(client, long_enough)) {
    REQUIRE(client.poll(at_client));
  }
  CHECK(at_server.connected == 1);
  CHECK(at_client.connected == 1);
  drain(server, at_server);
  drain(client, at_client);
  CHECK_FALSE(readable(server));
  CHECK_FALSE(readable(client));
}

TEMPLATE_TEST_CASE("the handle is readable when room comes back for a full queue",
                   "[native_handle]", STRAIT_TEST_UNREAD) {
  auto pair = watched_pair<BoundLink<TestType>>();
  std::size_t count = 0;
  SECTION("filled and polled") {
    count = fill(pair.client);
    drain(pair.client, pair.at_client);
    CHECK_FALSE(readable(pair.client));
  }
  SECTION("filled after the last poll") { count = fill(pair.client); }
  SECTION("filled and flushed in vain") {
    count = fill(pair.client);
    CHECK(pair.client.flush(1ms).error() == Errc::timed_out);
  }
  // What was sent may take its time to arrive, and room its time to come back.
  CHECK(repeat_until([&] {
    drain(pair.server, pair.at_server);
    if (readable(pair.client)) drain(pair.client, pair.at_client);
    return pair.client.queued_bytes() == 0;
  }));
  CHECK(pair.deliver_to_server(count));
  CHECK(pair.at_server.messages.size() == count);
}

TEMPLATE_TEST_CASE("a message that comes during or after a flush or a wait is not slept through",
                   "[native_handle]", STRAIT_TEST_UNREAD) {
  auto pair = watched_pair<BoundLink<TestType>>();
  SECTION("after a flush in vain") {
    static_cast<void>(fill(pair.client));
    CHECK(pair.client.flush(1ms).error() == Errc::timed_out);
    REQUIRE(pair.server.send(pattern(5)));
  }
  SECTION("during a flush") {
    static_cast<void>(fill(pair.client));
    REQUIRE(pair.server.send(pattern(5)));
    CHECK(pair.client.flush(1ms).error() == Errc::timed_out);
  }
  SECTION("after a wait in vain") {
    CHECK(pair.client.wait(pair.at_client, 1ms).value() == 0);
    REQUIRE(pair.server.send(pattern(5)));
  }
  REQUIRE(readable(pair.client, long_enough));
  CHECK(pair.client.poll(pair.at_client).value() == 1);
}

TEMPLATE_TEST_CASE("two loops that sleep between all steps get everything through",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  auto pair = watched_pair<BoundLink<TestType>>();
  constexpr std::uint64_t count = 3000;
  StreamCheck at_server;
  StreamCheck at_client;
  std::uint64_t next = 0;
  const auto send_more = [&] {
    while (next != count && pair.client.send(StreamCheck::message(next))) ++next;
  };
  std::size_t refused = 0;
  const auto echo = [&](View bytes) {
    at_server(bytes);
    refused += pair.server.send(bytes) ? 0 : 1;
  };
  send_more();
  bool woken = true;
  while (woken && at_client.count() + refused < count) {
    woken = one_readable_within(pair.server.native_handle(), pair.client.native_handle(), 5s);
    if (readable(pair.server)) REQUIRE(pair.server.poll(echo));
    if (readable(pair.client)) {
      REQUIRE(pair.client.poll(at_client));
      send_more();
    }
  }
  CHECK(woken);
  CHECK(at_server.wrong() == std::nullopt);
  CHECK(at_server.count() == count);
}

namespace {
struct Known {
  int value;
};
struct Unknown {
  int value;
};
}  // namespace

TEMPLATE_TEST_CASE("the handle is readable until an unexpected message has been reported",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  using Link = strait::Channel<TestType, strait::TrivialSerializer<Known, Unknown>>;
  const auto token = new_token();
  const auto name = unique_name();
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  int known = 0;
  const auto listener = [&](const Known&) { ++known; };
  const auto ignore = [](const Known&) {};
  REQUIRE(pump_until(server, listener, client, ignore,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  REQUIRE(server.native_handle());
  drain(server, listener);
  REQUIRE(client.send(Known{1}));
  REQUIRE(client.send(Unknown{2}));
  std::error_code told;
  while (!told && readable(server, long_enough)) told = server.poll(listener).error();
  CHECK(known == 1);
  CHECK(told == Errc::unexpected_message);
  drain(server, listener);
  CHECK_FALSE(readable(server));
}

#if STRAIT_TEST_LIMITS_DESCRIPTORS
TEMPLATE_TEST_CASE("without a descriptor left there is no handle, and an error says why",
                   "[native_handle][no-asan]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  {
    const NoMoreDescriptors none;
    const auto handle = pair.server.native_handle();
    CHECK_FALSE(handle);
    CHECK(handle.error() == std::errc::too_many_files_open);
    // As a system call takes it.
    const strait::NativeHandle plain = handle;
    CHECK(plain == strait::no_handle);
  }
  // The channel goes on, and has one as soon as there is a descriptor.
  const auto handle = pair.server.native_handle();
  REQUIRE(handle);
  CHECK(*handle >= 0);
  REQUIRE(pair.client.send(View()));
  Inbox inbox;
  CHECK(pair.server.wait(inbox, long_enough).value() == 1);
}
#endif
