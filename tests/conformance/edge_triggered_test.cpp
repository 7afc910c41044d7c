// A loop that is told of changes only, as EPOLLET and EV_CLEAR do it, and that polls once for each:
// whatever a poll leaves behind has to be told anew.

#include <map>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/task_queue.hpp"
#include "support/edge_loop.hpp"

using namespace strait_test;

namespace {

constexpr std::size_t many_messages = 5000;  // several times the fair share of a poll

/// Polls once for each event until `done()`; false if no event comes any more.
template <class Link, class Listener, class Done>
bool loop_until(EdgeLoop& loop, Link& link, Listener&& listener, Done done) {
  std::error_code end;
  while (!done(end)) {
    if (!loop.next_event(long_enough)) return false;
    const auto polled = link.poll(listener);
    if (!polled) end = polled.error();
    if (end && !done(end)) return false;
  }
  return true;
}

/// Sends `count` messages in a thread of its own, and goes.
template <class Link>
std::thread sender(Link link, std::size_t count) {
  return std::thread([count, link = std::move(link)]() mutable {
    for (std::size_t i = 0; i != count; ++i) static_cast<void>(link.send(pattern(50, i)));
    static_cast<void>(link.flush(long_enough));
  });
}

}  // namespace

TEMPLATE_TEST_CASE("an edge-triggered loop gets all messages and the end by one poll an event",
                   "[native_handle][edge]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  std::size_t stop_each = 0;
  std::size_t count = many_messages;
  SECTION("that handles what it gets") {}
  SECTION("that stops after each message") {
    stop_each = 1;
    count = 500;
  }
  EdgeLoop loop(pair.server.native_handle());
  auto client = sender(std::move(pair.client), count);
  std::size_t heard = 0;
  const auto listener = [&](View) {
    ++heard;
    if (stop_each != 0) pair.server.stop();
  };
  CHECK(loop_until(loop, pair.server, listener,
                   [](std::error_code end) { return end == Errc::peer_closed; }));
  CHECK(heard == count);
  client.join();
}

TEMPLATE_TEST_CASE("an edge-triggered loop gets what was there before it began to look",
                   "[native_handle][edge]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  for (int i = 0; i != 5; ++i) REQUIRE(pair.client.send(pattern(10)));
  REQUIRE(pair.client.flush(0ms));
  EdgeLoop loop(pair.server.native_handle());
  std::size_t heard = 0;
  const auto stop = [&](View) {
    ++heard;
    pair.server.stop();
  };
  CHECK(loop_until(loop, pair.server, stop, [&](std::error_code) { return heard == 5; }));
  pair.client.close();
  CHECK(loop_until(loop, pair.server, stop,
                   [](std::error_code end) { return end == Errc::peer_closed; }));
}

TEMPLATE_TEST_CASE("an edge-triggered loop goes on after a listener that throws",
                   "[native_handle][edge]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  EdgeLoop loop(pair.server.native_handle());
  for (int i = 0; i != 20; ++i) REQUIRE(pair.client.send(pattern(10)));
  REQUIRE(pair.client.flush(0ms));
  std::size_t heard = 0;
  while (heard != 20 && loop.next_event(long_enough)) {
    try {
      static_cast<void>(pair.server.poll([&](View) {
        if (++heard % 3 == 0) throw heard;
      }));
    } catch (std::size_t) {
    }
  }
  CHECK(heard == 20);
}

TEMPLATE_TEST_CASE("an edge-triggered loop sends all that was queued", "[native_handle][edge]",
                   STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  EdgeLoop loop(pair.client.native_handle());
  const std::size_t count = fill(pair.client);
  std::thread reader([&] {
    while (pair.at_server.messages.size() != count) {
      const auto waited = pair.server.wait(pair.at_server, long_enough);
      if (!waited || *waited == 0) return;
    }
  });
  CHECK(loop_until(loop, pair.client, pair.at_client,
                   [&](std::error_code) { return pair.client.queued_bytes() == 0; }));
  reader.join();
  CHECK(pair.at_server.messages.size() == count);
}

TEMPLATE_TEST_CASE("an edge-triggered loop serves an acceptor's clients by one poll an event",
                   "[acceptor][edge]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("edge");
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  EdgeLoop loop(server.native_handle());
  std::size_t stop_each = 0;
  std::size_t each = many_messages / 2;
  SECTION("that handles what it gets") {}
  SECTION("that stops after each message") {
    stop_each = 1;
    each = 100;
  }
  constexpr std::size_t clients = 3;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i != clients; ++i) {
    threads.push_back(sender(Link::connect(name, token).value(), each));
  }
  struct Listener {
    strait::Acceptor<Link>& server;
    std::size_t stop_each;
    std::size_t heard = 0;
    std::size_t closed = 0;
    void operator()(Link&, View) {
      ++heard;
      if (stop_each != 0) server.stop();
    }
    void on_closed(Link&, std::error_code) { ++closed; }
  } listener{server, stop_each};
  CHECK(loop_until(loop, server, listener,
                   [&](std::error_code) { return listener.closed == clients; }));
  CHECK(listener.heard == clients * each);
  server.close();
  for (std::thread& thread : threads) thread.join();
}

TEMPLATE_TEST_CASE("an edge-triggered loop lets in a crowd that knocked at once",
                   "[acceptor][edge]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("edge");
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  EdgeLoop loop(server.native_handle());
  std::vector<Link> clients;
  for (int i = 0; i != 50; ++i) clients.push_back(Link::connect(name, token).value());
  const auto deaf = [](Link&, View) {};
  CHECK(loop_until(loop, server, deaf, [&](std::error_code) { return server.size() == 50; }));
}

TEST_CASE("an edge-triggered loop runs a task queue once for each event", "[task_queue][edge]") {
  auto queue = strait::TaskQueue::create().value();
  EdgeLoop loop(queue->native_handle());
  int ran = 0;
  queue->post([&] { queue->post([&] { ++ran; }); });
  queue->post([&] { throw ++ran; });
  queue->post([&] { ++ran; });
  while (ran != 3 && loop.next_event(long_enough)) {
    try {
      queue->run();
    } catch (int) {
    }
  }
  CHECK(ran == 3);
}
