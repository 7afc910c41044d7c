#include <strait/loops/coroutine/calls.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/links.hpp"
#include "strait/answering.hpp"
#include "strait/loops/coroutine.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/calls.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::LoopCaller;
using strait::PollLoop;
using strait::Result;
using strait::Task;

namespace {

struct Halve {
  std::int32_t number;
};
struct Half {
  std::int32_t number;
};
struct Odd {
  std::int32_t number;
};
using HalfMessages = strait::TrivialSerializer<Halve, Half, Odd>;
template <class TransportT>
using HalfLinkOver = strait::Channel<TransportT, strait::Calls<HalfMessages>>;
using HalfLink = HalfLinkOver<Stream>;
using HalfCaller = LoopCaller<PollLoop, HalfLink>;
using HalfReply = std::variant<Half, Odd>;

const auto halve = [](const Halve& asked) -> HalfReply {
  if (asked.number % 2 != 0) return Odd{asked.number};
  return Half{asked.number / 2};
};

/// Answers until the caller has gone.
template <class LinkT, class Handlers>
Task<std::error_code> answer(PollLoop& loop, LinkT& link, Handlers handlers) {
  strait::Receiver receiver(loop, link);
  for (;;) {
    const auto handled = co_await receiver.receive(strait::answering(link, handlers));
    if (!handled) co_return handled.error();
  }
}

/// Has a caller of its own, which ends with it.
template <class LinkT>
Task<std::int32_t> add_halves(PollLoop& loop, LinkT link, std::int32_t times) {
  LoopCaller caller(loop, std::move(link));
  std::int32_t sum = 0;
  for (std::int32_t i = 0; i != times; ++i) {
    const auto half = co_await caller.template call<Half>(Halve{2 * i}, long_enough);
    sum += half.value().number;
  }
  co_return sum;
}

template <class Reply>
Task<> ask(HalfCaller& caller, std::int32_t number, std::chrono::milliseconds timeout,
           std::optional<Result<Reply>>& result) {
  result.emplace(co_await caller.call<Reply>(Halve{number}, timeout));
}

struct HalfEnds {
  explicit HalfEnds(PollLoop& loop) : HalfEnds(loop, link_pair<HalfLink>()) {}
  HalfEnds(PollLoop& loop, std::pair<HalfLink, HalfLink> links)
      : caller(loop, std::move(links.first)), server(std::move(links.second)) {}

  HalfCaller caller;
  HalfLink server;
};

}  // namespace

TEMPLATE_TEST_CASE("coroutines call and answer in one loop, which runs out", "[coroutine][calls]",
                   Stream, strait::MachTransport<>) {
  using Link = HalfLinkOver<TestType>;
  PollLoop loop;
  auto ends = link_pair<Link>();
  auto answering = answer(loop, ends.second, halve);
  auto asking = add_halves(loop, std::move(ends.first), 100);
  loop.run().value();
  REQUIRE(asking.done());
  CHECK(asking.result() == 4950);
  CHECK(answering.result() == Errc::peer_closed);
}

TEST_CASE("each client of a server has its coroutine, and each its caller", "[coroutine][calls]") {
  PollLoop loop;
  const Place place;
  auto server = strait::ChannelServer<HalfLink>::listen(place.name, place.token).value();
  const auto serve_one = [&](HalfLink link) -> Task<> {
    static_cast<void>(co_await answer(loop, link, halve));
  };
  const auto serve = [&]() -> Task<> {
    std::vector<Task<>> clients;
    while (clients.size() != 5) {
      clients.push_back(serve_one((co_await strait::accept(loop, server)).value()));
    }
    for (auto& client : clients) co_await client;
  };
  const auto ask_many = [&]() -> Task<std::int32_t> {
    auto link = co_await strait::connect<HalfLink>(loop, place.name, place.token, long_enough);
    co_return co_await add_halves(loop, std::move(link.value()), 20);
  };
  auto serving = serve();
  std::vector<Task<std::int32_t>> asking;
  for (int i = 0; i != 5; ++i) asking.push_back(ask_many());
  loop.run().value();
  REQUIRE(serving.done());
  for (auto& one : asking) CHECK(one.result() == 190);
}

TEST_CASE("replies go to the coroutines that have asked, in any order", "[coroutine][calls]") {
  PollLoop loop;
  HalfEnds ends(loop);
  std::vector<std::pair<std::int32_t, strait::Reply<HalfLink>>> kept;
  const auto keep = [&](const Halve& asked, strait::Reply<HalfLink> reply) {
    kept.emplace_back(asked.number, std::move(reply));
    if (kept.size() < 10) return;
    for (; !kept.empty(); kept.pop_back()) {
      kept.back().second.send(Half{kept.back().first / 2}).value();
    }
  };
  const auto answering = answer(loop, ends.server, keep);
  std::vector<std::optional<Result<Half>>> results(10);
  std::vector<Task<>> asking;
  for (std::int32_t i = 0; i != 10; ++i) {
    asking.push_back(ask(ends.caller, 2 * i, long_enough, results[static_cast<std::size_t>(i)]));
  }
  loop.run_while([&] { return !asking.back().done() || !asking.front().done(); }).value();
  for (std::int32_t i = 0; i != 10; ++i) {
    CHECK(results[static_cast<std::size_t>(i)].value().value().number == i);
  }
}

TEST_CASE("a coroutine's reply is one of several types", "[coroutine][calls]") {
  PollLoop loop;
  HalfEnds ends(loop);
  const auto answering = answer(loop, ends.server, halve);
  std::optional<Result<HalfReply>> even, odd;
  std::optional<Result<Half>> other;
  const auto first = ask(ends.caller, 8, long_enough, even);
  const auto second = ask(ends.caller, 3, long_enough, odd);
  const auto third = ask(ends.caller, 3, long_enough, other);
  loop.run_while([&] { return !third.done(); }).value();
  CHECK(std::get<Half>(even.value().value()).number == 4);
  CHECK(std::get<Odd>(odd.value().value()).number == 3);
  CHECK(other.value().error() == Errc::unexpected_message);
}

TEST_CASE("a coroutine's call that gets no reply says why", "[coroutine][calls]") {
  PollLoop loop;
  HalfEnds ends(loop);
  std::vector<strait::Reply<HalfLink>> kept;
  const auto keep = [&](const Halve& asked, strait::Reply<HalfLink> reply) {
    if (asked.number != 0) kept.push_back(std::move(reply));
  };
  std::optional<Task<std::error_code>> answering = answer(loop, ends.server, keep);
  std::optional<Result<Half>> result;
  std::optional<Task<>> asking;
  const auto wait_for = [&](std::error_code why) {
    loop.run().value();
    REQUIRE(result.has_value());
    CHECK(result->error() == why);
  };
  SECTION("its time is up, which wakes the loop") {
    asking = ask(ends.caller, 1, 5ms, result);
    loop.run_while([&] { return !result; }).value();
    CHECK(result->error() == Errc::timed_out);
  }
  SECTION("the peer lets go of it") {
    asking = ask(ends.caller, 0, long_enough, result);
    loop.run_while([&] { return !result; }).value();
    CHECK(result->error() == Errc::unanswered);
  }
  SECTION("the peer closes") {
    asking = ask(ends.caller, 1, long_enough, result);
    loop.run_while([&] { return kept.empty(); }).value();
    answering.reset();
    ends.server.close();
    wait_for(Errc::peer_closed);
  }
  SECTION("it is cancelled") {
    asking = ask(ends.caller, 1, long_enough, result);
    ends.caller.cancel();
    answering.reset();
    wait_for(std::make_error_code(std::errc::operation_canceled));
  }
  SECTION("this end closes") {
    asking = ask(ends.caller, 1, long_enough, result);
    ends.caller.close();
    wait_for(Errc::closed);
  }
  SECTION("this end has closed before") {
    ends.caller.close();
    asking = ask(ends.caller, 1, long_enough, result);
    CHECK(result->error() == Errc::closed);
  }
}

TEST_CASE("a coroutine whose caller is destroyed hears that it is closed", "[coroutine][calls]") {
  PollLoop loop;
  std::optional<HalfEnds> ends(std::in_place, loop);
  std::optional<Result<Half>> result;
  const auto asking = ask(ends->caller, 1, long_enough, result);
  ends.reset();
  CHECK_FALSE(result.has_value());  // it goes on in the loop
  loop.run().value();
  CHECK(result.value().error() == Errc::closed);
}

TEST_CASE("a call ends with its coroutine, and the loop waits for it no more",
          "[coroutine][calls]") {
  PollLoop loop;
  HalfEnds ends(loop);
  std::optional<Result<Half>> result;
  SECTION("while it waits for a reply") {
    { const auto asking = ask(ends.caller, 1, long_enough, result); }
    CHECK(ends.caller.caller().calls_under_way() == 0);
  }
  SECTION("when its reply has come, and it has not gone on yet") {
    auto asking = ask(ends.caller, 2, long_enough, result);
    auto answers = strait::answering(ends.server, halve);
    static_cast<void>(ends.server.wait(answers, long_enough).value());
    static_cast<void>(ends.caller.caller().wait(long_enough).value());
    asking = Task<>(ask(ends.caller, 2, 0ms, result));
    loop.run().value();
    CHECK(result.value().error() == Errc::timed_out);
    result.reset();
  }
  loop.run().value();
  CHECK_FALSE(result.has_value());
}

TEST_CASE("a program that receives gets its peer's calls, messages and its own replies",
          "[coroutine][calls]") {
  PollLoop loop;
  auto links = link_pair<HalfLink>();
  HalfCaller left(loop, std::move(links.first));
  HalfCaller right(loop, std::move(links.second));
  int odds = 0;
  const auto receive = [&](HalfCaller& caller) -> Task<std::error_code> {
    const auto count = strait::overloaded{halve, [&](const Odd&) { ++odds; }};
    for (;;) {
      const auto handled = co_await caller.receive(strait::answering(caller.channel(), count));
      if (!handled) co_return handled.error();
    }
  };
  auto left_receiving = receive(left);
  auto right_receiving = receive(right);
  std::optional<Result<Half>> one, other;
  right.channel().send(Odd{1}).value();
  const auto asking = ask(left, 10, long_enough, one);
  const auto asking_back = ask(right, 20, long_enough, other);
  loop.run_while([&] { return !asking.done() || !asking_back.done() || odds == 0; }).value();
  CHECK(one.value().value().number == 5);
  CHECK(other.value().value().number == 10);
  CHECK(odds == 1);
  left.close();
  loop.run().value();
  CHECK(left_receiving.result() == Errc::closed);
  CHECK(right_receiving.result() == Errc::peer_closed);
}
