// Calls, their replies and what becomes of them, over every transport.

#include "strait/caller.hpp"

#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/answering.hpp"
#include "strait/overloaded.hpp"
#include "strait/proxy_calls.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Root {
  std::int64_t of;
};
struct IsRoot {
  std::int64_t value;
};
struct NoRoot {
  std::int64_t of;
};
template <class T>
using RootLink = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Root, IsRoot, NoRoot>>>;

std::variant<IsRoot, NoRoot> find_root(const Root& asked) {
  for (std::int64_t root = 0; root * root <= asked.of; ++root) {
    if (root * root == asked.of) return IsRoot{root};
  }
  return NoRoot{asked.of};
}

/// What became of calls, in the order in which they have ended.
struct Endings {
  std::vector<std::int64_t> roots;
  std::vector<std::int64_t> failures;
  std::vector<std::error_code> errors;

  auto handler() {
    return strait::overloaded{[this](const IsRoot& root) { roots.push_back(root.value); },
                              [this](const NoRoot& none) { failures.push_back(none.of); },
                              [this](std::error_code why) { errors.push_back(why); }};
  }
  std::size_t count() const { return roots.size() + failures.size() + errors.size(); }
};

/// A caller, and a server that may be asked before it has let the caller in.
template <class Link>
struct RootEnds {
  std::string name = unique_name("calls");
  strait::Token token = new_token();
  Link server = Link::listen(name, token).value();
  strait::Caller<Link> caller{Link::connect(name, token).value()};
  Endings ended;

  template <class Handlers>
  bool pump(Handlers& answers, std::size_t count) {
    auto nothing = strait::detail::NoListener();
    return pump_until(server, answers, caller, nothing, [&] { return ended.count() >= count; });
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a call ends with the reply that the peer's listener returns", "[calls]",
                   STRAIT_TEST_TRANSPORTS) {
  RootEnds<RootLink<TestType>> ends;
  auto answers = strait::answering(ends.server, find_root);
  for (std::int64_t number = 0; number != 100; ++number) {
    ends.caller.call(Root{number}, long_enough, ends.ended.handler()).value();
  }
  REQUIRE(ends.pump(answers, 100));
  CHECK(ends.ended.roots == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(ends.ended.failures.size() == 90);
  CHECK(ends.caller.calls_under_way() == 0);
}

TEMPLATE_TEST_CASE("replies are given later, in another order, in parts, or not at all", "[calls]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RootLink<TestType>;
  RootEnds<Link> ends;
  using Reply = strait::Reply<Link>;
  std::vector<Reply> kept;
  auto answers = strait::answering(
      ends.server, [&](const Root&, Reply reply) { kept.push_back(std::move(reply)); });
  for (int i = 0; i != 3; ++i) {
    ends.caller.call(Root{i}, long_enough, ends.ended.handler()).value();
  }
  ends.caller.stream(Root{3}, long_enough, ends.ended.handler()).value();
  REQUIRE(ends.pump(answers, 0));
  auto nothing = strait::detail::NoListener();
  REQUIRE(pump_until(ends.server, answers, ends.caller, nothing, [&] { return kept.size() == 4; }));
  kept[2].send(IsRoot{2}).value();
  kept[1] = Reply();
  kept[0].send(IsRoot{0}).value();
  for (int part = 10; part != 20; ++part) kept[3].part(IsRoot{part}).value();
  kept[3].send(IsRoot{20}).value();
  REQUIRE(ends.pump(answers, 15));
  const std::vector<std::int64_t> roots{2, 0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  CHECK(ends.ended.roots == roots);
  // That it was dropped, and the end of the stream, which is no error.
  const std::vector<std::error_code> errors{make_error_code(Errc::unanswered), {}};
  CHECK(ends.ended.errors == errors);
  CHECK(ends.caller.calls_under_way() == 0);
}

TEMPLATE_TEST_CASE("calls without a reply end by their time, by cancel, and with the channel",
                   "[calls]", STRAIT_TEST_TRANSPORTS) {
  using Link = RootLink<TestType>;
  RootEnds<Link> ends;
  std::vector<strait::Reply<Link>> kept;
  auto answers = strait::answering(ends.server, [&](const Root&, strait::Reply<Link> reply) {
    kept.push_back(std::move(reply));
  });
  ends.caller.call(Root{1}, 1ms, ends.ended.handler()).value();
  const auto id = ends.caller.call(Root{2}, long_enough, ends.ended.handler()).value();
  ends.caller.call(Root{3}, long_enough, ends.ended.handler()).value();
  auto nothing = strait::detail::NoListener();
  REQUIRE(pump_until(ends.server, answers, ends.caller, nothing,
                     [&] { return kept.size() == 3 && ends.ended.count() == 1; }));
  CHECK(ends.caller.cancel(id));
  CHECK_FALSE(ends.caller.cancel(id));
  // Late replies are no fault, and nothing is heard of them.
  for (std::size_t late : {0U, 1U}) kept[late].send(IsRoot{1}).value();
  kept.pop_back();
  REQUIRE(ends.pump(answers, 3));
  ends.caller.call(Root{4}, long_enough, ends.ended.handler()).value();
  REQUIRE(pump_until(ends.server, answers, ends.caller, nothing, [&] { return kept.size() == 3; }));
  ends.server.close();
  REQUIRE(poll_until(ends.caller, nothing, [&] { return ends.ended.count() == 4; }));
  const std::vector<std::error_code> errors{
      make_error_code(Errc::timed_out), std::make_error_code(std::errc::operation_canceled),
      make_error_code(Errc::unanswered), make_error_code(Errc::peer_closed)};
  CHECK(ends.ended.errors == errors);
  CHECK(ends.ended.roots.empty());
}

TEMPLATE_TEST_CASE("an acceptor answers the calls of many clients, each its own", "[calls]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RootLink<TestType>;
  const auto name = unique_name("calls");
  const auto token = new_token();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto answers =
      strait::answering(server, [](Link&, const Root& asked) { return find_root(asked); });
  std::vector<strait::Caller<Link>> callers;
  std::vector<Endings> ended(5);
  auto nothing = strait::detail::NoListener();
  for (std::size_t i = 0; i != 5; ++i) {
    callers.emplace_back(Link::connect(name, token).value());
    const auto square = static_cast<std::int64_t>(i * i);
    callers[i].call(Root{square}, long_enough, ended[i].handler()).value();
    REQUIRE(
        pump_until(server, answers, callers[i], nothing, [&] { return ended[i].count() == 1; }));
    CHECK(ended[i].roots == std::vector{static_cast<std::int64_t>(i)});
  }
}

TEMPLATE_TEST_CASE("proxies call each other from several threads", "[calls][proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RootLink<TestType>;
  using Proxy = strait::ChannelProxy<Link>;
  const auto name = unique_name("calls");
  const auto token = new_token();
  auto answering =
      Proxy::start(Link::listen(name, token).value(), strait::answering<Proxy>(find_root)).value();
  auto caller = strait::ProxyCaller<Link>::start(Link::connect(name, token).value()).value();
  std::atomic<int> right{0};
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread != 2; ++thread) {
    threads.emplace_back([&] {
      for (std::int64_t root = 0; root != 20; ++root) {
        const auto check = [&, root](strait::Result<IsRoot> reply) {
          right += reply && reply->value == root ? 1 : 0;
          ++ended;
        };
        caller.template call<IsRoot>(Root{root * root}, long_enough, check).value();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto end = Clock::now() + long_enough; ended != 40 && Clock::now() < end;) {
    std::this_thread::yield();
  }
  CHECK(right == 40);
}
