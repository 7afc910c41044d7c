#include <strait/proxy_calls.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "strait/serializers/calls.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/task_queue.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/socket.hpp"
#include "support/catch.hpp"

namespace proxy_calls_test {

namespace {

using namespace std::chrono_literals;
using strait::Errc;

struct Asked {
  std::uint64_t value;
};
struct Told {
  std::uint64_t value;
};

template <class T>
using ProxiedLink = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Asked, Told>>>;
using LoopbackLink = ProxiedLink<strait::LoopbackTransport>;
using LoopbackProxy = strait::ChannelProxy<LoopbackLink>;
using LoopbackReply = strait::Reply<LoopbackProxy>;
using LoopbackCaller = strait::ProxyCaller<LoopbackLink>;

constexpr auto long_enough = 40s;

/// A listener that answers with twice of what it is asked.
constexpr auto twice = [](const Asked& asked) { return Told{2 * asked.value}; };

/// Calls over a channel on this thread, and waits for the result.
template <class Link>
strait::Result<Told> ask(strait::Caller<Link>& caller, std::uint64_t value,
                         std::chrono::milliseconds timeout = long_enough) {
  std::optional<strait::Result<Told>> told;
  caller.template call<Told>(Asked{value}, timeout, [&](strait::Result<Told> got) { told = got; })
      .value();
  while (!told) static_cast<void>(caller.wait(long_enough));
  return *told;
}

/// The same over a proxy, from any thread.
strait::Result<Told> ask(LoopbackCaller& caller, std::uint64_t value,
                         std::chrono::milliseconds timeout = long_enough) {
  std::promise<strait::Result<Told>> told;
  const auto made = caller.call<Told>(Asked{value}, timeout,
                                      [&](strait::Result<Told> got) { told.set_value(got); });
  if (!made) return made.error();
  return told.get_future().get();
}

}  // namespace

TEMPLATE_TEST_CASE("what a proxy's listener returns answers a call", "[proxy][calls]",
                   strait::LoopbackTransport, strait::SocketTransport) {
  using Link = ProxiedLink<TestType>;
  using Proxy = strait::ChannelProxy<Link>;
  auto ends = Link::pair().value();
  auto proxy = Proxy::start(std::move(ends.first), strait::answering<Proxy>(twice)).value();
  strait::Caller caller(std::move(ends.second));
  for (std::uint64_t i = 0; i != 100; ++i) CHECK(ask(caller, i).value().value == 2 * i);
}

TEST_CASE("a reply of a proxy is answered by another thread", "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  std::mutex mutex;
  std::condition_variable came;
  std::vector<std::pair<std::uint64_t, LoopbackReply>> owed;
  constexpr std::uint64_t calls = 200;
  std::thread worker([&] {
    for (std::uint64_t answered = 0; answered != calls; ++answered) {
      std::unique_lock locked(mutex);
      came.wait(locked, [&] { return !owed.empty(); });
      auto [value, reply] = std::move(owed.back());
      owed.pop_back();
      locked.unlock();
      reply.send(Told{value + 1}).value();
      CHECK_FALSE(reply);
      CHECK(reply.send(Told{0}).error() == Errc::closed);
    }
  });
  auto proxy =
      LoopbackProxy::start(std::move(ends.first),
                           strait::answering<LoopbackProxy>([&](const Asked& asked, auto reply) {
                             const std::lock_guard locked(mutex);
                             owed.emplace_back(asked.value, std::move(reply));
                             came.notify_one();
                           }))
          .value();
  strait::Caller caller(std::move(ends.second));
  std::uint64_t right = 0;
  for (std::uint64_t i = 0; i != calls; ++i) {
    caller
        .call<Told>(Asked{i}, long_enough,
                    [&, i](strait::Result<Told> told) { right += told.value().value == i + 1; })
        .value();
  }
  while (caller.calls_under_way() != 0) caller.wait(long_enough).value();
  worker.join();
  CHECK(right == calls);
}

TEST_CASE("a proxy's reply that is dropped says so, and one that outlives it sends nothing",
          "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  std::optional<LoopbackReply> kept;
  std::promise<void> kept_one;
  auto listener = strait::answering<LoopbackProxy>([&](const Asked& asked, auto reply) {
    if (asked.value != 1) return;
    kept = std::move(reply);
    kept_one.set_value();
  });
  std::optional<LoopbackProxy> proxy =
      LoopbackProxy::start(std::move(ends.first), std::move(listener)).value();
  strait::Caller caller(std::move(ends.second));
  CHECK(ask(caller, 2).error() == Errc::unanswered);

  std::error_code end;
  caller.call<Told>(Asked{1}, long_enough, [&](strait::Result<Told> told) { end = told.error(); })
      .value();
  kept_one.get_future().get();
  proxy.reset();
  while (!end) static_cast<void>(caller.wait(long_enough));
  CHECK(end == Errc::peer_closed);
  CHECK_FALSE(kept->send(Told{1}));
  kept.reset();
}

TEST_CASE("many threads call over a proxy, each call ending once", "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  auto server =
      LoopbackProxy::start(std::move(ends.first), strait::answering<LoopbackProxy>(twice)).value();
  auto caller = LoopbackCaller::start(std::move(ends.second)).value();
  constexpr int calls = 300;
  std::atomic<int> right = 0;
  std::atomic<int> cancelled = 0;
  std::atomic<int> ended = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread != 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i != calls; ++i) {
        const auto value = static_cast<std::uint64_t>(thread * calls + i);
        const auto id =
            caller.call<Told>(Asked{value}, long_enough, [&, value](strait::Result<Told> told) {
              if (told && told->value == 2 * value) ++right;
              if (told.error() == std::errc::operation_canceled) ++cancelled;
              ++ended;
            });
        if (i % 3 == 0) static_cast<void>(caller.cancel(id.value()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  while (caller.calls_under_way() != 0) std::this_thread::yield();
  CHECK(ask(caller, 1).value().value == 2);  // the handlers of all before have run
  CHECK(ended == 4 * calls);
  CHECK(right + cancelled == 4 * calls);
  CHECK(right >= 4 * calls * 2 / 3);
}

TEST_CASE("a proxy's call that gets no reply says why", "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  auto caller = LoopbackCaller::start(std::move(ends.second)).value();
  SECTION("its time is up, also behind a longer one") {
    std::atomic<bool> longer = false;
    caller.call<Told>(Asked{0}, long_enough, [&](strait::Result<Told>) { longer = true; }).value();
    CHECK(ask(caller, 1, 5ms).error() == Errc::timed_out);
    CHECK(ask(caller, 1, 0ms).error() == Errc::timed_out);
    CHECK_FALSE(longer);
    CHECK(caller.calls_under_way() == 1);
    // Its late replies are dropped, and the channel goes on.
    std::thread answering([&] {
      auto& server = ends.first;
      while (!longer) static_cast<void>(server.wait(strait::answering(server, twice), 1ms));
    });
    answering.join();
    CHECK(longer);
  }
  SECTION("it is cancelled") {
    std::promise<std::error_code> told;
    const auto id = caller
                        .call<Told>(Asked{1}, long_enough,
                                    [&](strait::Result<Told> got) { told.set_value(got.error()); })
                        .value();
    CHECK(caller.cancel(id));
    CHECK_FALSE(caller.cancel(id));
    CHECK(told.get_future().get() == std::errc::operation_canceled);
  }
  SECTION("the peer goes") {
    std::thread closing([&] {
      strait::Reply<LoopbackLink> owed;
      const auto keep = [&](const Asked&, auto reply) { owed = std::move(reply); };
      while (!owed) static_cast<void>(ends.first.wait(strait::answering(ends.first, keep), 1s));
      ends.first.close();
    });
    const auto told = ask(caller, 1);
    closing.join();
    CHECK(told.error() == Errc::peer_closed);
    CHECK(ask(caller, 1).error() == Errc::peer_closed);
  }
  SECTION("the caller is closed") {
    std::promise<std::error_code> told;
    caller
        .call<Told>(Asked{1}, long_enough,
                    [&](strait::Result<Told> got) { told.set_value(got.error()); })
        .value();
    caller.close();
    CHECK(told.get_future().get() == Errc::closed);
    CHECK(ask(caller, 1).error() == Errc::closed);
  }
  SECTION("the caller is destroyed, and what its handler holds with it") {
    const auto held = std::make_shared<int>();
    caller.call<Told>(Asked{1}, long_enough, [held](strait::Result<Told>) { FAIL("gone"); })
        .value();
    { const auto gone = std::move(caller); }
    CHECK(held.use_count() == 1);
  }
}

TEST_CASE("replies over a proxy are heard where its executor says", "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  auto server =
      LoopbackProxy::start(std::move(ends.first), strait::answering<LoopbackProxy>(twice)).value();
  auto tasks = strait::TaskQueue::create().value();
  auto caller =
      LoopbackCaller::start(std::move(ends.second), strait::detail::NoListener(), tasks->executor())
          .value();
  std::vector<std::uint64_t> heard;
  std::vector<std::error_code> errors;
  const auto here = std::this_thread::get_id();
  const auto keep = [&](strait::Result<Told> told) {
    CHECK(std::this_thread::get_id() == here);
    told ? heard.push_back(told->value) : errors.push_back(told.error());
  };
  // A handler may call, too.
  const auto call_again = [&](strait::Result<Told> told) {
    keep(told);
    caller.call<Told>(Asked{10}, long_enough, keep).value();
  };
  caller.call<Told>(Asked{1}, long_enough, call_again).value();
  while (heard.size() != 2) tasks->run();
  CHECK(heard == std::vector<std::uint64_t>{2, 20});
  const auto id = caller.call<Told>(Asked{1}, long_enough, keep).value();
  const bool cancelled = caller.cancel(id);
  CHECK(errors.empty());
  while (heard.size() + errors.size() != 3) tasks->run();
  CHECK(errors.size() == (cancelled ? 1 : 0));
}

TEST_CASE("both sides of proxies call each other", "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  const auto start = [](LoopbackLink link) {
    return LoopbackCaller::start(std::move(link), strait::answering<LoopbackCaller::Proxy>(twice))
        .value();
  };
  auto one = start(std::move(ends.first));
  auto other = start(std::move(ends.second));
  std::uint64_t right = 0;
  std::thread there([&] {
    for (std::uint64_t i = 0; i != 200; ++i) right += ask(other, i).value().value == 2 * i;
  });
  for (std::uint64_t i = 0; i != 200; ++i) CHECK(ask(one, i).value().value == 2 * i);
  there.join();
  CHECK(right == 200);
}

TEST_CASE("a proxy's caller refuses calls, and ends with a peer that replies to nothing",
          "[proxy][calls]") {
  auto ends = LoopbackLink::pair().value();
  auto caller = LoopbackCaller::start(std::move(ends.first)).value();
  strait::Caller peer(std::move(ends.second));
  CHECK(ask(peer, 1).error() == Errc::unanswered);

  std::promise<std::error_code> told;
  caller
      .call<Told>(Asked{1}, long_enough,
                  [&](strait::Result<Told> got) { told.set_value(got.error()); })
      .value();
  const Told answer{1};
  const strait::detail::CallTrailer wrong{strait::detail::CallKind::reply, strait::CallId{77}};
  peer.channel().send(strait::detail::OutgoingCall<Told>{answer, wrong}).value();
  CHECK(told.get_future().get() == Errc::malformed);
}

}  // namespace proxy_calls_test
