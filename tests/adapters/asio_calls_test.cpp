#include <strait/loops/asio/calls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/either_asio.hpp"
#include "adapters/links.hpp"
#include "strait/acceptor.hpp"
#include "strait/answering.hpp"
#include "strait/reconnecting.hpp"
#include "strait/serializers/calls.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::AsioCaller;
using strait::AsioChannel;

namespace {

struct Question {
  std::uint64_t value;
};
struct Answer {
  std::uint64_t value;
};
template <class T>
using CallLinkOver = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Question, Answer>>>;
using CallLink = CallLinkOver<Stream>;

/// A caller, and the other end, which answers what it is told to.
template <class LinkT = CallLink>
struct Both {
  net::io_context context;
  std::pair<LinkT, LinkT> ends = link_pair<LinkT>();
  AsioCaller<LinkT> caller{context, std::move(ends.first)};
  LinkT& server = ends.second;

  /// Answers what has come with twice its value.
  void answer_all() {
    const auto twice = [](const Question& asked) { return Answer{2 * asked.value}; };
    while (server.poll(strait::answering(server, twice)).value_or(0U) != 0) {
    }
  }
};

/// Answers until its caller has gone.
template <class LinkT>
net::awaitable<void> serve_calls(AsioChannel<LinkT> link) {
  const auto twice = [](const Question& asked) { return Answer{2 * asked.value}; };
  try {
    for (;;) {
      co_await link.async_receive(strait::answering(link.channel(), twice), net::use_awaitable);
    }
  } catch (const SystemError&) {
  }
}

template <class LinkT>
net::awaitable<bool> ask(AsioCaller<LinkT> caller, std::uint64_t times) {
  bool right = true;
  for (std::uint64_t i = 0; i != times; ++i) {
    const Answer answer =
        co_await caller.template async_call<Answer>(Question{i}, long_enough, net::use_awaitable);
    right = right && answer.value == 2 * i;
  }
  co_return right;
}

/// Keeps what calls end with.
struct Ends {
  std::vector<std::pair<ErrorCode, std::uint64_t>> all = {};
  auto keep() {
    return [this](ErrorCode error, Answer answer) { all.emplace_back(error, answer.value); };
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a coroutine calls and another one answers", "[asio][calls]",
                   strait::MachTransport<>, Stream) {
  using LinkT = CallLinkOver<TestType>;
  net::io_context context;
  auto [first, second] = link_pair<LinkT>();
  net::co_spawn(context, serve_calls(AsioChannel<LinkT>(context, std::move(second))),
                net::detached);
  auto asked = net::co_spawn(context, ask(AsioCaller<LinkT>(context, std::move(first)), 1000),
                             net::use_future);
  context.run();
  CHECK(asked.get());
}

TEST_CASE("replies go to their calls in any order, and the context runs out", "[asio][calls]") {
  Both both;
  Ends ends;
  std::vector<strait::Reply<CallLink>> replies;
  for (std::uint64_t i = 0; i != 3; ++i) {
    both.caller.async_call<Answer>(Question{i}, long_enough, ends.keep());
  }
  CHECK(ends.all.empty());
  const auto keep = [&](const Question&, auto reply) { replies.push_back(std::move(reply)); };
  while (replies.size() != 3) both.server.poll(strait::answering(both.server, keep)).value();
  for (const std::size_t i : {2U, 0U, 1U}) replies[i].send(Answer{10 + i}).value();
  both.context.run();
  REQUIRE(ends.all.size() == 3);
  CHECK(ends.all[0] == std::pair(ErrorCode(), std::uint64_t{12}));
  CHECK(ends.all[1] == std::pair(ErrorCode(), std::uint64_t{10}));
  CHECK(ends.all[2] == std::pair(ErrorCode(), std::uint64_t{11}));
}

TEST_CASE("a call that gets no reply says why", "[asio][calls]") {
  Both both;
  Ends ends;
  SECTION("its time is up") {
    both.caller.async_call<Answer>(Question{1}, 5ms, ends.keep());
    both.context.run();
    REQUIRE(ends.all.size() == 1);
    CHECK(ends.all[0].first == Errc::timed_out);
  }
  SECTION("nothing answers it") {
    both.caller.async_call<Answer>(Question{1}, long_enough, ends.keep());
    const auto drop = [](const Question&) {};
    both.server.poll(strait::answering(both.server, drop)).value();
    both.context.run();
    REQUIRE(ends.all.size() == 1);
    CHECK(ends.all[0].first == Errc::unanswered);
  }
  SECTION("the peer closes while it waits, and after") {
    both.caller.async_call<Answer>(Question{1}, long_enough, ends.keep());
    both.context.poll();
    both.server.close();
    both.context.run();
    both.context.restart();
    both.caller.async_call<Answer>(Question{2}, long_enough, ends.keep());
    CHECK(ends.all.size() == 1);  // no handler is called in the function that starts its operation
    both.context.run();
    REQUIRE(ends.all.size() == 2);
    CHECK(ends.all[0].first == Errc::peer_closed);
    CHECK(ends.all[1].first == Errc::peer_closed);
  }
  SECTION("the peer replies to what was not asked") {
    both.caller.async_call<Answer>(Question{1}, long_enough, ends.keep());
    both.context.poll();
    const Answer answer{1};
    const strait::detail::CallTrailer wrong{strait::detail::CallKind::reply, strait::CallId{77}};
    both.server.send(strait::detail::OutgoingCall<Answer>{answer, wrong}).value();
    both.context.run();
    REQUIRE(ends.all.size() == 1);
    CHECK(ends.all[0].first == Errc::malformed);
  }
}

TEST_CASE("a future holds a reply or its error", "[asio][calls]") {
  Both both;
  auto good = both.caller.async_call<Answer>(Question{21}, long_enough, net::use_future);
  auto late = both.caller.async_call<Answer>(Question{1}, 0ms, net::use_future);
  both.context.poll();
  both.answer_all();
  both.context.run();
  CHECK(good.get().value == 42);
  CHECK_THROWS_AS(late.get(), SystemError);
}

TEST_CASE("a caller that is cancelled, given away or destroyed aborts its calls", "[asio][calls]") {
  Both both;
  Ends ends;
  for (std::uint64_t i = 0; i != 3; ++i) {
    both.caller.async_call<Answer>(Question{i}, long_enough, ends.keep());
  }
  both.context.poll();
  SECTION("cancelled") {
    both.caller.cancel();
    both.context.run();
    both.context.restart();
    // Late replies are dropped, and the channel goes on.
    both.answer_all();
    both.caller.async_call<Answer>(Question{50}, long_enough, ends.keep());
    both.context.poll();
    both.answer_all();
    both.context.run();
    REQUIRE(ends.all.size() == 4);
    CHECK(ends.all[3] == std::pair(ErrorCode(), std::uint64_t{100}));
  }
  SECTION("given away") {
    auto caller = both.caller.release();
    both.context.run();
    std::uint64_t answered = 0;
    caller
        .call<Answer>(Question{50}, long_enough,
                      [&](strait::Result<Answer> answer) { answered = answer.value().value; })
        .value();
    both.answer_all();
    while (answered == 0) REQUIRE(caller.wait(long_enough));
    CHECK(answered == 100);
  }
  SECTION("destroyed") {
    both.caller = {};
    both.context.run();
    CHECK(both.server.wait(strait::answering(both.server, [](const Question&) {}), long_enough));
  }
  REQUIRE(ends.all.size() >= 3);
  for (int i = 0; i != 3; ++i) {
    CHECK(ends.all[static_cast<std::size_t>(i)].first == net::error::operation_aborted);
  }
}

#if defined(STRAIT_TEST_CANCELS)

TEST_CASE("cancelled calls end once, and the others are answered", "[asio][calls]") {
  const auto type = GENERATE(net::cancellation_type::total, net::cancellation_type::partial,
                             net::cancellation_type::terminal);
  Both both;
  constexpr int calls = 1000;
  std::deque<net::cancellation_signal> signals;  // they outlive the operations
  std::vector<int> ends(calls);
  int aborted = 0;
  int answered = 0;
  for (int i = 0; i != calls; ++i) {
    auto& signal = signals.emplace_back();
    const auto done = [&, i](ErrorCode error, Answer answer) {
      ++ends[static_cast<std::size_t>(i)];
      aborted += error == net::error::operation_aborted;
      answered += !error && answer.value == 2 * static_cast<std::uint64_t>(i);
    };
    both.caller.async_call<Answer>(Question{static_cast<std::uint64_t>(i)}, long_enough,
                                   net::bind_cancellation_slot(signal.slot(), done));
    both.context.restart();
    if (i % 3 == 0) both.answer_all();
    if (i % 2 == 0) both.context.poll_one();
    if (i % 4 == 0) signal.emit(type);
    both.context.poll();
  }
  both.answer_all();
  both.context.restart();
  both.context.run();
  for (int count : ends) CHECK(count == 1);
  CHECK(aborted + answered == calls);
  CHECK(aborted > 0);
  CHECK(answered >= calls * 3 / 4);
  CHECK(both.caller->calls_under_way() == 0);
}

#endif

TEST_CASE("calls may be left to a context that is destroyed", "[asio][calls]") {
  auto ends = link_pair<CallLink>();
  {
    net::io_context context;
    net::co_spawn(context, ask(AsioCaller<CallLink>(context, std::move(ends.first)), 1),
                  net::detached);
    context.poll();
  }
  // The coroutine is gone, and the channel with it.
  int heard = 0;
  const auto count = [&](const Question&) { ++heard; };
  auto& server = ends.second;
  CHECK(server.poll(strait::answering(server, count)).value() == 1);
  CHECK(server.poll(strait::answering(server, count)).error() == Errc::peer_closed);
  CHECK(heard == 1);
}

TEST_CASE("a program that receives gets its peer's calls and its own replies", "[asio][calls]") {
  net::io_context context;
  auto [first, second] = link_pair<CallLink>();
  AsioCaller<CallLink> one(context, std::move(first));
  AsioCaller<CallLink> other(context, std::move(second));
  const auto receive = [](AsioCaller<CallLink>& caller) -> net::awaitable<void> {
    const auto twice = [](const Question& asked) { return Answer{2 * asked.value}; };
    try {
      for (;;) {
        co_await caller.async_receive(strait::answering(caller.channel(), twice),
                                      net::use_awaitable);
      }
    } catch (const SystemError&) {
    }
  };
  const auto ask_and_close = [](AsioCaller<CallLink>& caller,
                                AsioCaller<CallLink>& peer) -> net::awaitable<bool> {
    const auto use = net::use_awaitable;
    const Answer here = co_await caller.async_call<Answer>(Question{1}, long_enough, use);
    const Answer there = co_await peer.async_call<Answer>(Question{2}, long_enough, use);
    caller->close();
    co_return here.value == 2 && there.value == 4;
  };
  // The first call begins before the program receives.
  auto right = net::co_spawn(context, ask_and_close(one, other), net::use_future);
  context.poll();
  net::co_spawn(context, receive(one), net::detached);
  net::co_spawn(context, receive(other), net::detached);
  context.run();
  CHECK(right.get());
}

TEST_CASE("several threads run a context in which strands call", "[asio][calls]") {
  net::io_context context;
  constexpr int links = 4;
  std::vector<std::future<bool>> asked;
  for (int i = 0; i != links; ++i) {
    auto [first, second] = link_pair<CallLink>();
    const net::any_io_executor calling = net::make_strand(context);
    const net::any_io_executor answering = net::make_strand(context);
    asked.push_back(net::co_spawn(
        calling, ask(AsioCaller<CallLink>(calling, std::move(first)), 300), net::use_future));
    net::co_spawn(answering, serve_calls(AsioChannel<CallLink>(answering, std::move(second))),
                  net::detached);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i != 4; ++i) threads.emplace_back([&] { context.run(); });
  for (auto& one : asked) CHECK(one.get());
  for (auto& thread : threads) thread.join();
}

namespace {

template <class T>
struct CallAllocator {
  using value_type = T;
  explicit CallAllocator(int& counter) : balance(&counter) {}
  template <class U>
  CallAllocator(const CallAllocator<U>& from) : balance(from.balance) {}
  T* allocate(std::size_t n) {
    ++*balance;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* at, std::size_t n) {
    --*balance;
    std::allocator<T>().deallocate(at, n);
  }
  friend bool operator==(const CallAllocator&, const CallAllocator&) = default;

  int* balance;
};

/// A handler with an allocator of its own, all of which is free again when it is called.
struct AllocatingHandler {
  using allocator_type = CallAllocator<std::byte>;
  allocator_type get_allocator() const { return allocator_type(*balance); }
  void operator()(ErrorCode error, Answer answer) const {
    *right = !error && answer.value == 14 && *balance == 0;
  }
  int* balance;
  bool* right;
};

}  // namespace

TEST_CASE("what a call allocates comes from its handler's allocator, and runs where it is bound",
          "[asio][calls]") {
  Both both;
  net::io_context other;
  int balance = 0;
  bool right = false;
  both.caller.async_call<Answer>(
      Question{7}, long_enough,
      net::bind_executor(other.get_executor(), AllocatingHandler{&balance, &right}));
  CHECK(balance > 0);
  both.context.poll();
  both.answer_all();
  for (int i = 0; i != 1000 && !right; ++i) {
    both.context.poll();
    CHECK_FALSE(right);
    other.poll();
    both.context.restart();
    other.restart();
  }
  CHECK(right);
  CHECK(balance == 0);
}

namespace {

using ComingBack =
    strait::Reconnecting<CallLink, strait::NoRedelivery,
                         strait::ReconnectOptions{.shortest_pause_ms = 1, .longest_pause_ms = 4}>;

struct CountUps {
  int& ups;
  void on_up(CallLink&) { ++ups; }
  void operator()(const Answer&) {}
};

net::awaitable<void> receive_replies(AsioCaller<ComingBack>& caller, int& ups) {
  try {
    for (;;) co_await caller.async_receive(CountUps{ups}, net::use_awaitable);
  } catch (const SystemError&) {
  }
}

/// Asks a server that is there three times, a new one each time. How many have answered.
net::awaitable<int> ask_again(net::io_context& context, const Place& place) {
  using Server = strait::Acceptor<CallLink>;
  AsioCaller<ComingBack> caller(context, ComingBack::connect(place.name, place.token).value());
  int ups = 0;
  net::co_spawn(context, receive_replies(caller, ups), net::detached);
  int answered = 0;
  for (int round = 0; round != 3; ++round) {
    AsioChannel<Server> server(context, Server::listen(place.name, place.token).value());
    const auto serve = [](AsioChannel<Server>& serving) -> net::awaitable<void> {
      const auto twice = [](CallLink&, const Question& asked) { return Answer{2 * asked.value}; };
      try {
        for (;;) {
          co_await serving.async_receive(strait::answering(serving.channel(), twice),
                                         net::use_awaitable);
        }
      } catch (const SystemError&) {
      }
    };
    net::co_spawn(context, serve(server), net::detached);
    while (ups == round) co_await net::post(net::use_awaitable);
    const auto answer =
        co_await caller.async_call<Answer>(Question{4}, long_enough, net::use_awaitable);
    answered += answer.value == 8 ? 1 : 0;
  }
  caller.cancel();
  co_return answered;
}

}  // namespace

TEST_CASE("a client whose server comes again calls each of them in a context", "[asio][calls]") {
  const Place place;
  net::io_context context;
  auto asking = net::co_spawn(context, ask_again(context, place), net::use_future);
  context.run();
  CHECK(asking.get() == 3);
}
