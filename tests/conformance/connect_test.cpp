// How two ends find each other: names, orders of starting, who the other one is.

#include <atomic>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/own_process.hpp"

using namespace strait_test;

TEMPLATE_TEST_CASE("connecting before anybody listens is not_found", "[connect]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto client = RawLink<TestType>::connect(unique_name(), new_token());
  CHECK(client.error() == Errc::not_found);
}

TEMPLATE_TEST_CASE("a timeout with a name that never appears is over after it, not before",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  const auto start = Clock::now();
  const auto client = RawLink<TestType>::connect(unique_name(), new_token(), 20ms);
  CHECK(Clock::now() - start >= 20ms);
  CHECK(client.error() == Errc::not_found);
}

TEMPLATE_TEST_CASE("a client with a timeout waits for its server to appear and to answer",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name();
  std::atomic<bool> started = false;
  std::optional<strait::Result<Link>> client;
  std::thread thread([&] {
    started = true;
    client.emplace(Link::connect(name, token, long_enough));
  });
  while (!started) std::this_thread::yield();
  auto server = Link::listen(name, token);
  Inbox inbox;
  strait::Result<std::size_t> waited(std::size_t{0});
  if (server) waited = server->wait(inbox, long_enough);
  thread.join();
  REQUIRE(server);
  REQUIRE(waited);
  CHECK(inbox.connected == 1);
  REQUIRE(client->has_value());
  CHECK_FALSE((*client)->waiting_connect());
}

TEMPLATE_TEST_CASE(
    "a timeout covers a server that goes in the middle of the handshake and comes again",
    "[connect]", STRAIT_TEST_CROSSING) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name();
  std::optional<Link> server(Link::listen(name, token).value());
  std::optional<strait::Result<Link>> client;
  std::atomic<bool> ended = false;
  std::thread thread([&] {
    client.emplace(Link::connect(name, token, long_enough));
    ended = true;
  });
  // A client has come; it is not listened to.
  const strait::Interests client_came{strait::Interest::to_read(server->native_handle())};
  const auto came = strait::os::wait_for(client_came, strait::detail::Deadline::after(long_enough));
  server.reset();
  Inbox inbox;
  strait::Result<Link> again = Link::listen(name, token);
  while (again && !ended && again->waiting_connect()) {
    if (!again->wait(inbox, 10ms)) break;
  }
  thread.join();
  CHECK(came);
  REQUIRE(again);
  REQUIRE(client->has_value());
  CHECK_FALSE((*client)->waiting_connect());
}

TEMPLATE_TEST_CASE("either end may be polled first, and both are told once who is there",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  const bool server_first = GENERATE(true, false);
  auto pair = fresh_pair<RawLink<TestType>>();
  CHECK(pair.server.waiting_connect());
  CHECK(pair.client.waiting_connect());
  CHECK(pair.server.peer().credentials.pid == 0);
  if (!server_first) CHECK(pair.client.poll(pair.at_client).value() == 0);
  REQUIRE(pair.connect());
  REQUIRE(pair.server.send(pattern(10)));
  REQUIRE(pair.client.send(pattern(11)));
  REQUIRE(pair.deliver_to_client(1));
  REQUIRE(pair.deliver_to_server(1));
  for (const auto* inbox : {&pair.at_server, &pair.at_client}) {
    CHECK(inbox->connected == 1);
    CHECK(inbox->peer.credentials.uid == own_user());
    CHECK(inbox->peer.credentials.gid == own_group());
    if (inbox->peer.credentials.pid != 0) CHECK(inbox->peer.credentials.pid == own_pid());
  }
  CHECK(pair.server.peer().credentials.uid == own_user());
  CHECK(pair.client.peer().credentials.uid == own_user());
}

TEMPLATE_TEST_CASE("a name is taken while its server waits and free again when it has closed",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const bool path = GENERATE(false, true);
  const auto name = path ? unique_path() : unique_name();
  {
    auto first = Link::listen(name, new_token());
    REQUIRE(first);
    CHECK(Link::listen(name, new_token()).error() == Errc::name_taken);
    // The one who tried must not have broken it.
    CHECK(Link::listen(name, new_token()).error() == Errc::name_taken);
    CHECK(Link::connect(name, new_token()));
    first->close();
    CHECK(Link::connect(name, new_token()).error() == Errc::not_found);
  }
  CHECK(Link::listen(name, new_token()));
  CHECK(Link::listen(name, new_token()));
}

TEMPLATE_TEST_CASE("a name is free again once its client is there", "[connect]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name();
  const auto connect = [&] {
    Pair<Link> pair{Link::listen(name, token).value(), Link::connect(name, token).value()};
    REQUIRE(pair.connect());
    return pair;
  };
  auto first = connect();
  CHECK(Link::connect(name, token).error() == Errc::not_found);
  auto second = connect();
  // Neither pair hears the other.
  REQUIRE(first.client.send(pattern(1)));
  REQUIRE(second.client.send(pattern(2)));
  REQUIRE(first.deliver_to_server(1));
  REQUIRE(second.deliver_to_server(1));
  CHECK(first.at_server.messages == std::vector<Bytes>{pattern(1)});
  CHECK(second.at_server.messages == std::vector<Bytes>{pattern(2)});
}

TEMPLATE_TEST_CASE("a path is a name, too", "[connect]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_path();
  Pair<Link> pair{Link::listen(name, token).value(), Link::connect(name, token).value()};
  REQUIRE(pair.connect());
  REQUIRE(pair.client.send(pattern(5)));
  CHECK(pair.deliver_to_server(1));
}

TEMPLATE_TEST_CASE("servers with different names in one directory do not get in each other's way",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  std::atomic<int> failures = 0;
  const auto claim = [&](const std::string& name) {
    const auto token = new_token();
    for (int i = 0; i != 200; ++i) {
      if (!RawLink<TestType>::listen(name, token)) ++failures;
    }
  };
  std::thread other(claim, unique_path());
  claim(unique_path());
  other.join();
  CHECK(failures == 0);
}

TEMPLATE_TEST_CASE("what can't be a name is invalid_name on both sides", "[connect]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const std::string name =
      GENERATE(as<std::string>(), "", ".", "..", ".hidden", "a/b", "../up", "two words",
               "new\nline", "star*", "caf\xc3\xa9", "/", "/tmp/", std::string(65, 'n'),
               "/" + std::string(100, 'p'), std::string("a\0b", 3), std::string("/tmp/a\0b", 8));
  CAPTURE(name);
  CHECK(Link::listen(name, new_token()).error() == Errc::invalid_name);
  CHECK(Link::connect(name, new_token()).error() == Errc::invalid_name);
  CHECK(Link::connect(name, new_token(), 1h).error() == Errc::invalid_name);
}

TEMPLATE_TEST_CASE("the longest name is a name", "[connect]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto stem = unique_name("A.b-c_9");
  const auto name = stem + std::string(64 - stem.size(), 'x');
  const auto token = new_token();
  Pair<Link> pair{Link::listen(name, token).value(), Link::connect(name, token).value()};
  CHECK(pair.connect());
}

TEMPLATE_TEST_CASE("a client that looks just when it is let in, and the name freed, is let in",
                   "[connect]", STRAIT_TEST_TRANSPORTS) {
  for (int round = 0; round != 100; ++round) {
    CAPTURE(round);
    auto pair = fresh_pair<RawLink<TestType>>();
    std::atomic<bool> done = false;
    std::thread serving([&] {
      while (!done) static_cast<void>(pair.server.poll(pair.at_server));
    });
    const bool connected =
        poll_until(pair.client, pair.at_client, [&] { return !pair.client.waiting_connect(); });
    done = true;
    serving.join();
    CHECK(connected);
    CHECK(pair.at_client.connected == 1);
  }
}
