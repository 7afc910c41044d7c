// Whatever a program is about when it is told to end: `stop` from a signal handler, from another
// thread or beforehand ends the call that runs, or else the next one, and only that.

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "support/descriptor_limit.hpp"

#if !STRAIT_HAS_WINDOWS
#include <pthread.h>
#include <signal.h>
#endif

using namespace strait_test;

namespace {

#if !STRAIT_HAS_WINDOWS  // which has no signals
/// Has a signal call `stop` on an object while this lives.
template <class Stoppable>
class StopOnSignal {
 public:
  explicit StopOnSignal(Stoppable& target) {
    target_ = &target;
    struct sigaction action {};
    action.sa_handler = [](int) {
      const int before = errno;
      errno = E2BIG;
      target_->stop();
      if (errno != E2BIG) ::abort();
      errno = before;
    };
    REQUIRE(::sigaction(SIGUSR1, &action, &before_) == 0);
  }
  ~StopOnSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  static inline Stoppable* target_ = nullptr;
  struct sigaction before_ {};
};
#endif

/// Does something once for each `next`, a moment later, in a thread of its own.
template <class Action>
class Helper {
 public:
  explicit Helper(Action action) : thread_([this, action] { run(action); }) {}
  ~Helper() {
    wanted_ = -1;
    thread_.join();
  }
  void next() { ++wanted_; }

 private:
  void run(const Action& action) {
    for (int done = 0; wanted_ >= 0;) {
      if (wanted_ <= done) {
        std::this_thread::yield();
        continue;
      }
      ++done;
      // From before the call to deep in its sleep.
      const auto moment = Clock::now() + std::chrono::microseconds(done * 37 % 300);
      while (Clock::now() < moment) {
      }
      if (done % 16 == 0) std::this_thread::sleep_for(15ms);
      action();
    }
  }
  std::atomic<int> wanted_{0};
  std::thread thread_;
};

constexpr int stop_rounds = 60;

/// Each call is ended by one `stop`; how that comes, `action` says.
template <class Stoppable, class Listener, class Action>
void stop_again_and_again(Stoppable& target, Listener& listener, Action action) {
  Helper<Action> helper(action);
  int ended = 0;
  const auto start = Clock::now();
  for (int round = 0; round != stop_rounds; ++round) {
    helper.next();
    if (round % 2 == 0) {
      ended += target.run(listener) ? 1 : 0;
    } else {
      const auto waited = target.wait(listener, long_enough);
      ended += waited && *waited == 0 ? 1 : 0;
    }
  }
  CHECK(ended == stop_rounds);
  CHECK(Clock::now() - start < long_enough);
  // All of them are used up.
  CHECK(target.wait(listener, 1ms).value() == 0);
}

template <class Stoppable, class Listener>
void stop_in_all_ways(Stoppable& target, Listener& listener) {
  SECTION("from another thread") {
    stop_again_and_again(target, listener, [&target] { target.stop(); });
  }
#if !STRAIT_HAS_WINDOWS
  const pthread_t self = ::pthread_self();
  SECTION("from a handler in the thread that sleeps") {
    const StopOnSignal<Stoppable> handler(target);
    stop_again_and_again(target, listener, [self] { ::pthread_kill(self, SIGUSR1); });
  }
  SECTION("from a handler in another thread") {
    const StopOnSignal<Stoppable> handler(target);
    stop_again_and_again(target, listener, [] { ::raise(SIGUSR1); });
  }
#endif
}

}  // namespace

TEMPLATE_TEST_CASE("stop ends run and wait of a channel, whenever and wherever it comes from",
                   "[stop]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  stop_in_all_ways(pair.server, pair.at_server);
  REQUIRE(pair.client.send(pattern(5)));
  CHECK(pair.server.wait(pair.at_server, long_enough).value() == 1);
}

TEMPLATE_TEST_CASE("stop ends run and wait of a channel without a client", "[stop]",
                   STRAIT_TEST_TRANSPORTS) {
  auto server = RawLink<TestType>::listen(unique_name("stop"), new_token()).value();
  Inbox inbox;
  stop_in_all_ways(server, inbox);
}

TEMPLATE_TEST_CASE("stop ends run and wait of an acceptor, whenever and wherever it comes from",
                   "[stop][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("stop");
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  std::size_t heard = 0;
  const auto listener = [&](Link&, View) { ++heard; };
  stop_in_all_ways(server, listener);
  auto client = Link::connect(name, token).value();
  REQUIRE(client.send(pattern(5)));
  Inbox inbox;
  const auto end = Clock::now() + long_enough;
  while (heard == 0 && Clock::now() < end) {
    REQUIRE(server.wait(listener, 1ms));
    static_cast<void>(client.poll(inbox));
  }
  CHECK(heard == 1);
}

TEMPLATE_TEST_CASE("stop before a call ends that call at once, and no other", "[stop]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(pattern(5)));
  REQUIRE(pair.client.flush(0ms));
  pair.server.stop();
  SECTION("run") { CHECK(pair.server.run(pair.at_server)); }
  SECTION("wait") { CHECK(pair.server.wait(pair.at_server, long_enough).value() == 0); }
  SECTION("poll") { CHECK(pair.server.poll(pair.at_server).value() == 0); }
  SECTION("run of what it was moved to") {
    auto moved = std::move(pair.server);
    CHECK(moved.run(pair.at_server));
    pair.server = std::move(moved);
  }
  CHECK(pair.at_server.messages.empty());
  CHECK(pair.server.wait(pair.at_server, long_enough).value() == 1);
  pair.client.close();
  CHECK(pair.server.run(pair.at_server).error() == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("stop ends no flush", "[stop]", STRAIT_TEST_UNREAD) {
  auto pair = connected_pair<BoundLink<TestType>>();
  CHECK(pair.client.wait(pair.at_client, 1ms).value() == 0);
  static_cast<void>(fill(pair.client));
  pair.client.stop();
  CHECK(pair.client.flush(20ms).error() == Errc::timed_out);
  CHECK(pair.client.run(pair.at_client));
}

#if STRAIT_TEST_LIMITS_DESCRIPTORS
TEST_CASE("stop ends a run for whose wake-up there was no descriptor", "[stop][no-asan]") {
  auto pair = connected_pair<RawLink<Socket>>();
  std::thread helper;
  {
    const NoMoreDescriptors none;
    helper = std::thread([&] {
      // Only so that `run` mostly sleeps by then; a stop that comes first ends it, too.
      std::this_thread::sleep_for(5ms);
      pair.server.stop();
    });
    CHECK(pair.server.run(pair.at_server));
  }
  helper.join();
}
#endif
