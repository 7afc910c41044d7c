// What a proxy's thread does while there is nothing to do, and when its listener throws.

#include <poll.h>
#include <sys/resource.h>

#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "conformance/watched.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/task_queue.hpp"

using namespace strait_test;

namespace {

template <class T>
using Link = RawLink<T, strait::ChannelOptions{.max_queued_bytes = 256 << 10}>;
template <class T>
using Proxy = strait::ChannelProxy<Link<T>>;

struct SleepHeard : Watched {
  std::vector<std::error_code> closed;
};

/// A listener that throws at messages, or at the end.
template <class Throw>
struct Throwing {
  SleepHeard& heard;
  Throw fail;
  void operator()(View) { fail(); }
  void on_closed(std::error_code why) {
    const auto access = heard.access();
    heard.closed.push_back(why);
  }
};

/// How often threads of this process went to sleep within half a second of doing nothing here.
long sleeps_in_half_a_second() {
  const auto count = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
  };
  const long before = count();
  ::poll(nullptr, 0, 500);
  return count() - before;
}

/// Whether all threads come to rest. One that looks every 20 ms would sleep 25 times in each half
/// second. On a busy machine one may have something left to do for longer than that.
bool comes_to_rest() {
  return repeat_until([] { return sleeps_in_half_a_second() < 12; });
}

const auto deaf_listener = [](View) {};

template <class Throw>
std::error_code end_of_one_that_throws(Throw fail) {
  SleepHeard heard;
  auto pair = fresh_pair<Link<Socket>>();
  auto proxy = Proxy<Socket>::start(std::move(pair.server), Throwing<Throw>{heard, fail}).value();
  REQUIRE(pair.client.send(pattern(10)));
  REQUIRE(pair.client.send(pattern(10)));
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
  REQUIRE(heard.wait_until([&] { return !heard.closed.empty(); }));
  CHECK(heard.closed.size() == 1);
  CHECK_FALSE(proxy.send(pattern(10)));
  return heard.closed[0];
}

}  // namespace

TEMPLATE_TEST_CASE("a proxy sleeps while its client has not come", "[proxy][sleep]",
                   STRAIT_TEST_TRANSPORTS) {
  auto link = Link<TestType>::listen(unique_name("sleep"), new_token()).value();
  const auto proxy = Proxy<TestType>::start(std::move(link), deaf_listener).value();
  CHECK(comes_to_rest());
}

TEMPLATE_TEST_CASE("a proxy sleeps while its server has not answered", "[proxy][sleep]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = fresh_pair<Link<TestType>>();
  auto proxy = Proxy<TestType>::start(std::move(pair.client), deaf_listener).value();
  CHECK(comes_to_rest());
  // And wakes up for the answer.
  REQUIRE(proxy.send(pattern(10)));
  CHECK(
      poll_until(pair.server, pair.at_server, [&] { return pair.at_server.messages.size() == 1; }));
}

TEMPLATE_TEST_CASE("a proxy sleeps while neither its listener nor its peer takes anything",
                   "[proxy][sleep]", STRAIT_TEST_TRANSPORTS) {
  auto tasks = strait::TaskQueue::create().value();
  auto pair = fresh_pair<Link<TestType>>();
  auto proxy =
      Proxy<TestType>::start(std::move(pair.server), deaf_listener, tasks->executor()).value();
  REQUIRE(poll_until(pair.client, pair.at_client, [&] { return pair.at_client.connected == 1; }));
  // Until nothing goes either way: a bridge reads ahead.
  std::size_t sent = 0;
  for (int idle = 0; idle != 50; ++idle) {
    while (pair.client.send(pattern(10'000))) idle = 0;
    static_cast<void>(pair.client.flush(1ms));
    for (; proxy.send(pattern(10'000, sent)); ++sent) idle = 0;
  }
  CHECK(proxy.queued_bytes() != 0);
  CHECK(comes_to_rest());
  // It wakes up for room.
  CHECK(poll_until(pair.client, pair.at_client,
                   [&] { return pair.at_client.messages.size() == sent; }));
  for (std::size_t i = 0; i != sent; ++i) {
    if (!same_bytes(pair.at_client.messages[i], pattern(10'000, i))) FAIL("message " << i);
  }
}

TEST_CASE("a listener that throws on the proxy's own thread ends the channel, and hears why",
          "[proxy]") {
  CHECK(end_of_one_that_throws([] { throw std::runtime_error("no"); }) ==
        std::errc::operation_canceled);
  CHECK(end_of_one_that_throws([] { throw 1; }) == std::errc::operation_canceled);
  CHECK(end_of_one_that_throws([] { throw std::bad_alloc(); }) == std::errc::not_enough_memory);
  CHECK(end_of_one_that_throws([] { throw std::system_error(make_error_code(Errc::bad_token)); }) ==
        Errc::bad_token);
  CHECK(end_of_one_that_throws([] { throw std::system_error(std::error_code()); }) ==
        std::errc::operation_canceled);
}

TEST_CASE("a listener may throw at the news of the end, and an executor always", "[proxy]") {
  struct AtTheEnd {
    void operator()(View) {}
    void on_connected(const strait::Peer&) {}
    void on_closed(std::error_code) { throw std::runtime_error("no"); }
  };
  const auto no_executor = [](auto&&) { throw std::runtime_error("no"); };
  auto pair = fresh_pair<Link<Socket>>();
  auto proxy = Proxy<Socket>::start(std::move(pair.server), AtTheEnd()).value();
  REQUIRE(poll_until(pair.client, pair.at_client, [&] { return pair.at_client.connected == 1; }));
  pair.client.close();
  CHECK(repeat_until([&] { return proxy.flush(0ms).error() == Errc::peer_closed; }));

  auto other = fresh_pair<Link<Socket>>();
  auto mute = Proxy<Socket>::start(std::move(other.server), deaf_listener, no_executor).value();
  CHECK(poll_until_error(other.client, other.at_client) == Errc::peer_closed);
  CHECK(mute.flush(0ms).error() == std::errc::operation_canceled);
}
