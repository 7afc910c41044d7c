// Who is let in and who is not, and that the one does not keep out the other.

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/serializers/trivial.hpp"
#include "support/own_process.hpp"
#include "support/refusals.hpp"

using namespace strait_test;

namespace {

template <class T>
using WatchedLink = RawLink<T, strait::ChannelOptions{}, SharedRefusals>;

template <class T>
using HastyLink = RawLink<T, strait::ChannelOptions{.handshake_timeout_ms = 30}>;

struct Ping {
  std::uint64_t id;
};
template <class T>
using PingLink = strait::Channel<T, strait::TrivialSerializer<Ping>>;

/// The server and whoever knocks at its door.
template <class T>
struct Door {
  const strait::Token token = new_token();
  const std::string name = unique_name("door");
  SharedRefusals refusals{};
  WatchedLink<T> server = WatchedLink<T>::listen(name, token, refusals).value();
  Inbox at_server{};

  /// What a client is told that must not get in.
  template <class Client>
  std::error_code knock(const strait::Token& with) {
    auto client = Client::connect(name, with).value();
    const auto ignore = [](const auto&) {};
    std::error_code told;
    REQUIRE(pump_until(server, at_server, client, ignore, [&] {
      const auto polled = client.poll(ignore);
      if (!polled) told = polled.error();
      return !polled;
    }));
    CHECK(client.poll(ignore).error() == told);
    CHECK(client.send(Bytes()).error() == told);
    CHECK_FALSE(client.waiting_connect());
    return told;
  }

  void let_the_right_one_in() {
    REQUIRE(server.waiting_connect());
    auto client = RawLink<T>::connect(name, token).value();
    Inbox at_client;
    REQUIRE(client.send(pattern(7)));
    REQUIRE(pump_until(server, at_server, client, at_client,
                       [&] { return at_server.messages.size() == 1; }));
    CHECK(at_server.connected == 1);
    CHECK(at_client.connected == 1);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a wrong token is told so, reported, and does not keep the right one out",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  Door<TestType> door;
  for (int i = 0; i != 3; ++i) {
    CHECK(door.template knock<RawLink<TestType>>(new_token()) == Errc::bad_token);
  }
  CHECK(door.at_server.connected == 0);
  REQUIRE(door.refusals.log->why.size() == 3);
  CHECK(door.refusals.log->why[2] == Errc::bad_token);
  CHECK(door.refusals.log->who[2].uid == own_user());
  door.let_the_right_one_in();
  CHECK(door.refusals.log->why.size() == 3);
}

TEMPLATE_TEST_CASE("a peer with other message types is told so and does not keep others out",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  Door<TestType> door;
  auto client = PingLink<TestType>::connect(door.name, door.token).value();
  const auto ignore = [](const Ping&) {};
  std::error_code told;
  REQUIRE(pump_until(door.server, door.at_server, client, ignore, [&] {
    told = client.poll(ignore).error();
    return static_cast<bool>(told);
  }));
  CHECK(told == Errc::schema_mismatch);
  CHECK(door.refusals.log->why == std::vector{make_error_code(Errc::schema_mismatch)});
  door.let_the_right_one_in();
}

TEMPLATE_TEST_CASE("who has neither the token nor the types learns only about the token",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  Door<TestType> door;
  auto client = PingLink<TestType>::connect(door.name, new_token()).value();
  const auto ignore = [](const Ping&) {};
  std::error_code told;
  REQUIRE(pump_until(door.server, door.at_server, client, ignore, [&] {
    told = client.poll(ignore).error();
    return static_cast<bool>(told);
  }));
  CHECK(told == Errc::bad_token);
}

TEMPLATE_TEST_CASE("a server that never answers is a handshake_timeout", "[handshake]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto token = new_token();
  const auto name = unique_name();
  auto server = RawLink<TestType>::listen(name, token).value();
  const auto start = Clock::now();
  Inbox inbox;

  SECTION("told by wait") {
    auto client = HastyLink<TestType>::connect(name, token).value();
    CHECK(client.send(pattern(3)));
    CHECK(client.wait(inbox, long_enough).error() == Errc::handshake_timeout);
    CHECK(client.poll(inbox).error() == Errc::handshake_timeout);
    CHECK(client.flush(1ms).error() == Errc::handshake_timeout);
  }
  SECTION("told by poll") {
    auto client = HastyLink<TestType>::connect(name, token).value();
    CHECK(poll_until_error(client, inbox) == Errc::handshake_timeout);
  }
  SECTION("told by flush") {
    auto client = HastyLink<TestType>::connect(name, token).value();
    CHECK(client.send(pattern(3)));
    CHECK(client.flush(long_enough).error() == Errc::handshake_timeout);
  }
  SECTION("told by connect, whose time is up earlier") {
    const auto client = RawLink<TestType>::connect(name, token, 30ms);
    CHECK(client.error() == Errc::handshake_timeout);
  }
  SECTION("told by connect, which asks again for as long as it may") {
    const auto client = HastyLink<TestType>::connect(name, token, 200ms);
    CHECK(client.error() == Errc::handshake_timeout);
    CHECK(Clock::now() - start >= 200ms);
  }
  CHECK(Clock::now() - start >= 30ms);
  CHECK(inbox.connected == 0);
}

TEMPLATE_TEST_CASE("of two with the right token the first is let in and the second refused",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  const auto token = new_token();
  const auto name = unique_name();
  auto server = RawLink<TestType>::listen(name, token).value();
  auto first = RawLink<TestType>::connect(name, token).value();
  auto second = RawLink<TestType>::connect(name, token).value();
  Inbox at_server;
  Inbox at_first;
  Inbox at_second;
  REQUIRE(pump_until(server, at_server, first, at_first,
                     [&] { return at_server.connected == 1 && at_first.connected == 1; }));
  CHECK(poll_until_error(second, at_second) == Errc::refused);
  CHECK(at_second.connected == 0);
  REQUIRE(first.send(pattern(9)));
  CHECK(poll_until(server, at_server, [&] { return at_server.messages.size() == 1; }));
}

TEMPLATE_TEST_CASE("a server that closes refuses the clients that wait for its answer",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  pair.server.close();
  const auto told = poll_until_error(pair.client, pair.at_client);
  if (arrives_at_once<TestType> || told != Errc::not_found) CHECK(told == Errc::refused);
}

TEMPLATE_TEST_CASE("a client that leaves before it is welcome does not take the server with it",
                   "[handshake]", STRAIT_TEST_TRANSPORTS) {
  Door<TestType> door;
  for (int i = 0; i != 20; ++i) {
    static_cast<void>(RawLink<TestType>::connect(door.name, door.token).value());
  }
  door.let_the_right_one_in();
}
