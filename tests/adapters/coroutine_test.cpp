#include <strait/loops/coroutine.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/links.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/overloaded.hpp"
#include "strait/rights/shared_memory.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::PollLoop;
using strait::Receiver;
using strait::Result;
using strait::Task;

namespace {

/// The least that is an `EventLoop`; counts how often it is gone to.
struct CountingLoop {
  PollLoop inner;
  int handle_waits = 0;

  auto when_readable(strait::NativeHandle handle, strait::LoopCallback callback) {
    ++handle_waits;
    return inner.when_readable(handle, callback);
  }
  auto when_reached(strait::Deadline at, strait::LoopCallback callback) {
    return inner.when_reached(at, callback);
  }
};
static_assert(strait::EventLoop<PollLoop> && strait::EventLoop<CountingLoop>);

template <class LoopT, class LinkT>
Task<std::uint64_t> echo(LoopT& loop, LinkT& link) {
  Receiver receiver(loop, link);
  std::uint64_t echoed = 0;
  while (auto number = co_await receiver.next()) {
    ++echoed;
    if (!link.send(*number)) break;
  }
  co_return echoed;
}

template <class LinkT>
Task<bool> call(PollLoop& loop, LinkT& link, std::uint64_t times) {
  Receiver receiver(loop, link);
  for (std::uint64_t i = 0; i != times; ++i) {
    link.send(Number{i}).value();
    const auto answer = co_await receiver.next_for(long_enough);
    if (!answer || answer->value != i) co_return false;
  }
  link.close();
  co_return true;
}

/// Takes all messages, each of which must be the one that follows the last, until the end.
Task<std::error_code> take_all(PollLoop& loop, SocketLink& link, std::uint64_t& next) {
  Receiver receiver(loop, link);
  for (;;) {
    const auto number = co_await receiver.next();
    if (!number) co_return number.error();
    if (number->value != next) co_return std::make_error_code(std::errc::bad_message);
    ++next;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("coroutines talk to each other in one loop", "[coroutine]", MachLink,
                   SocketLink) {
  auto [first, second] = link_pair<TestType>();
  PollLoop loop;
  auto echoing = echo(loop, first);
  auto calling = call(loop, second, 1000);
  loop.run().value();
  REQUIRE(calling.done());
  REQUIRE(echoing.done());
  CHECK(calling.result());
  CHECK(echoing.result() == 1000);
}

TEST_CASE("several channels and timers share a loop", "[coroutine]") {
  std::vector<std::pair<MachLink, MachLink>> links;
  for (int i = 0; i != 5; ++i) links.push_back(link_pair<MachLink>());
  PollLoop loop;
  std::vector<Task<std::uint64_t>> echoing;
  std::vector<Task<bool>> calling;
  for (auto& [first, second] : links) {
    echoing.push_back(echo(loop, first));
    calling.push_back(call(loop, second, 100));
  }
  int ticks = 0;
  const auto tick = [](PollLoop& in, int& count) -> Task<> {
    for (int i = 0; i != 5; ++i) {
      (co_await strait::sleep_for(in, 2ms)).value();
      ++count;
    }
  };
  auto ticking = tick(loop, ticks);
  const auto start = std::chrono::steady_clock::now();
  loop.run().value();
  CHECK(std::chrono::steady_clock::now() - start >= 10ms);
  CHECK(ticks == 5);
  CHECK(ticking.done());
  for (auto& one : calling) CHECK(one.result());
  for (auto& one : echoing) CHECK(one.result() == 100);
}

TEST_CASE("a cancelled receive has lost nothing", "[coroutine]") {
  auto [sender, receiver] = link_pair<SocketLink>();
  PollLoop loop;
  constexpr std::uint64_t rounds = 1000;
  std::uint64_t sent = 0;
  std::uint64_t next = 0;
  int cancelled = 0;

  const auto take = [](PollLoop& in, SocketLink& link, Receiver<PollLoop, SocketLink>& from,
                       std::uint64_t& expected, int& cancels) -> Task<> {
    static_cast<void>(in);
    static_cast<void>(link);
    for (;;) {
      const auto number = co_await from.next();
      if (!number && number.error() == std::errc::operation_canceled) {
        ++cancels;
        continue;
      }
      if (!number) break;
      REQUIRE(number->value == expected);
      ++expected;
    }
  };
  Receiver from(loop, receiver);
  auto taking = take(loop, receiver, from, next, cancelled);
  for (std::uint64_t i = 0; i != rounds; ++i) {
    for (std::uint64_t j = 0; j != i % 4; ++j) sender.send(Number{sent++}).value();
    from.cancel();  // with messages on their way, and without
    if (i % 3 == 0) {
      loop.run_while([&] { return next != sent; }).value();
    }
  }
  sender.close();
  loop.run().value();
  CHECK(taking.done());
  taking.result();
  CHECK(cancelled == rounds);
  CHECK(next == sent);
}

TEST_CASE("a receive that timed out has lost nothing", "[coroutine]") {
  auto [sender, receiver] = link_pair<MachLink>();
  PollLoop loop;
  std::uint64_t next = 0;
  int timed_out = 0;
  const auto take = [](PollLoop& in, MachLink& link, std::uint64_t& expected,
                       int& times) -> Task<std::error_code> {
    Receiver from(in, link);
    for (;;) {
      const auto number = co_await from.next_for(50us);
      if (!number && number.error() == Errc::timed_out) {
        ++times;
      } else if (!number) {
        co_return number.error();
      } else {
        REQUIRE(number->value == expected++);
      }
    }
  };
  const auto give = [](PollLoop& in, MachLink& link) -> Task<> {
    for (std::uint64_t i = 0; i != 200; ++i) {
      link.send(Number{i}).value();
      (co_await strait::sleep_for(in, 100us)).value();
    }
    link.close();
  };
  auto taking = take(loop, receiver, next, timed_out);
  auto giving = give(loop, sender);
  loop.run().value();
  CHECK(giving.done());
  CHECK(taking.result() == Errc::peer_closed);
  CHECK(next == 200);
  CHECK(timed_out > 0);
}

TEST_CASE("a destroyed receive has lost nothing that is in the channel", "[coroutine]") {
  auto [sender, receiver] = link_pair<SocketLink>();
  PollLoop loop;
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i != 1000; ++i) {
    auto taking = take_all(loop, receiver, next);
    CHECK_FALSE(taking.done());
    sender.send(Number{i}).value();
    if (i % 2 == 0) {
      loop.run_while([&] { return next != i + 1; }).value();
    }
  }
  sender.close();
  auto taking = take_all(loop, receiver, next);
  loop.run().value();
  CHECK(taking.result() == Errc::peer_closed);
  CHECK(next == 1000);
}

TEMPLATE_TEST_CASE("a peer that closes ends a wait with the error, once", "[coroutine]", MachLink,
                   SocketLink) {
  auto [sender, receiver] = link_pair<TestType>();
  PollLoop loop;
  int ends = 0;
  const auto take = [](PollLoop& in, TestType& link, int& count) -> Task<std::error_code> {
    Receiver from(in, link);
    const auto first = co_await from.next();
    if (first) co_return std::error_code();
    ++count;
    // The channel keeps its error, and no wait goes to the loop any more.
    const auto second = co_await from.receive([](const Number&) {});
    co_return second.error() == first.error() ? first.error() : std::error_code();
  };
  auto taking = take(loop, receiver, ends);
  CHECK_FALSE(taking.done());
  sender.close();
  loop.run().value();
  REQUIRE(taking.done());
  CHECK(taking.result() == Errc::peer_closed);
  CHECK(ends == 1);
}

TEST_CASE("closing one's own end wakes what waits for it", "[coroutine]") {
  auto [kept, closed] = link_pair<MachLink>();
  PollLoop loop;
  auto echoing = echo(loop, closed);
  closed.close();
  loop.run().value();
  CHECK(echoing.done());
  static_cast<void>(kept);
}

TEST_CASE("a handshake that takes too long wakes the loop", "[coroutine]") {
  const Place place;
  auto silent = ImpatientLink::listen(place.name, place.token).value();  // and never polled
  PollLoop loop;

  SECTION("of a channel that waits to be connected") {
    auto client = ImpatientLink::connect(place.name, place.token).value();
    auto first = [](PollLoop& in, ImpatientLink& link) -> Task<std::error_code> {
      Receiver receiver(in, link);
      co_return (co_await receiver.next()).error();
    };
    auto waiting = first(loop, client);
    CHECK_FALSE(waiting.done());
    loop.run().value();
    REQUIRE(waiting.done());
    CHECK(waiting.result() == Errc::handshake_timeout);
  }
  SECTION("of connect") {
    auto attempt = [](PollLoop& in, const Place& at) -> Task<std::error_code> {
      co_return (co_await strait::connect<ImpatientLink>(in, at.name, at.token)).error();
    };
    auto waiting = attempt(loop, place);
    loop.run().value();
    REQUIRE(waiting.done());
    CHECK(waiting.result() == Errc::handshake_timeout);
  }
  SECTION("of connect with a timeout") {
    auto attempt = [](PollLoop& in, const Place& at) -> Task<std::error_code> {
      co_return (co_await strait::connect<ImpatientLink>(in, at.name, at.token, 120ms)).error();
    };
    auto waiting = attempt(loop, place);
    loop.run().value();
    REQUIRE(waiting.done());
    CHECK(waiting.result() == Errc::handshake_timeout);
  }
}

TEST_CASE("a task that is destroyed waits for nothing any more", "[coroutine]") {
  auto [sender, receiver] = link_pair<MachLink>();
  PollLoop loop;
  std::optional<Task<std::uint64_t>> echoing(echo(loop, receiver));
  CHECK_FALSE(echoing->done());
  echoing.reset();
  loop.run().value();  // there is nothing to wait for
  sender.send(Number{1}).value();
  echoing.emplace(echo(loop, receiver));
  sender.close();
  loop.run().value();
  CHECK(echoing->result() == 1);
}

TEST_CASE("the loop is not gone to while there is something to receive", "[coroutine]") {
  auto [sender, receiver] = link_pair<MachLink>();
  CountingLoop loop;
  auto echoing = [](CountingLoop& in, MachLink& link) -> Task<std::uint64_t> {
    Receiver from(in, link);
    std::uint64_t received = 0;
    while (co_await from.next()) ++received;
    co_return received;
  };
  constexpr std::uint64_t many = 5000;
  for (std::uint64_t i = 0; i != many; ++i) sender.send(Number{i}).value();
  sender.close();
  auto taking = echoing(loop, receiver);
  loop.inner.run().value();
  REQUIRE(taking.done());
  CHECK(taking.result() == many);
  CHECK(loop.handle_waits <= 2);
}

TEST_CASE("a peer that sends and sends keeps out no timer", "[coroutine]") {
  auto [sender, receiver] = link_pair<MachLink>();
  PollLoop loop;
  bool late = false;
  // Each message is followed by the next one, so that there always is one.
  auto flooded = [](PollLoop& in, MachLink& from, MachLink& peer, bool& enough) -> Task<bool> {
    Receiver messages(in, from);
    peer.send(Number{0}).value();
    for (int i = 0; i != 1'000'000 && !enough; ++i) {
      if (!co_await messages.next()) co_return false;
      peer.send(Number{0}).value();
    }
    co_return enough;
  };
  auto timer = [](PollLoop& in, bool& rung) -> Task<> {
    (co_await strait::sleep_for(in, 1ms)).value();
    rung = true;
  };
  auto ringing = timer(loop, late);
  auto receiving = flooded(loop, receiver, sender, late);
  loop.run().value();
  CHECK(ringing.done());
  CHECK(receiving.result());
}

TEST_CASE("a message that the receiver can't take does not end it", "[coroutine]") {
  using Link = strait::Channel<Stream, strait::TrivialSerializer<Number, Block>>;
  auto [sender, receiver] = link_pair<Link>();
  sender.send(Block{}).value();
  sender.send(Number{7}).value();
  sender.send(Block{}).value();
  sender.close();
  PollLoop loop;

  SECTION("unless it is the channel's own variant") {
    auto take = [](PollLoop& in, Link& link) -> Task<int> {
      Receiver from(in, link);
      int blocks = 0;
      int numbers = 0;
      while (auto message = co_await from.next()) {
        static_assert(std::is_same_v<decltype(*message), std::variant<Number, Block>&>);
        std::visit(
            strait::overloaded{[&](const Number&) { ++numbers; }, [&](const Block&) { ++blocks; }},
            *message);
      }
      co_return 10 * blocks + numbers;
    };
    auto taking = take(loop, receiver);
    loop.run().value();
    CHECK(taking.result() == 21);
  }
  SECTION("with a type of its own") {
    auto take = [](PollLoop& in, Link& link) -> Task<std::vector<std::error_code>> {
      Receiver<PollLoop, Link, Number> from(in, link);
      std::vector<std::error_code> heard;
      for (int i = 0; i != 4; ++i) heard.push_back((co_await from.next()).error());
      co_return heard;
    };
    auto taking = take(loop, receiver);
    loop.run().value();
    const auto heard = taking.result();
    CHECK(heard[0] == Errc::unexpected_message);
    CHECK_FALSE(heard[1]);
    CHECK(heard[2] == Errc::unexpected_message);
    CHECK(heard[3] == Errc::peer_closed);
  }
}

#if !STRAIT_HAS_WINDOWS

namespace {

struct WithRights {
  WithRights(const Number& number, strait::Rights with)
      : value(number.value), rights(std::move(with)) {}
  std::uint64_t value;
  strait::Rights rights;
};

}  // namespace

TEST_CASE("a message comes with its rights into a type that takes them", "[coroutine]") {
  auto [sender, receiver] = link_pair<SocketLink>();
  strait::Rights rights;
  rights.add(link_pair<SocketLink>().first).value();
  sender.send(Number{5}, std::move(rights)).value();
  PollLoop loop;
  auto take = [](PollLoop& in, SocketLink& link) -> Task<std::size_t> {
    Receiver<PollLoop, SocketLink, WithRights> from(in, link);
    const auto message = co_await from.next();
    co_return message && message->value == 5 ? message->rights.size() : 0;
  };
  auto taking = take(loop, receiver);
  loop.run().value();
  CHECK(taking.result() == 1);
}

#endif

TEST_CASE("a flush waits until the peer has made room", "[coroutine]") {
  auto [sender, receiver] = link_pair<BlockLink>();
  const int sent = fill(sender);
  REQUIRE(sent > 0);
  receiver.send(Block{}).value();  // which the sender never receives
  PollLoop loop;
  auto flush = [](PollLoop& in, BlockLink& link) -> Task<std::error_code> {
    co_return (co_await strait::flush(in, link, long_enough)).error();
  };
  auto count = [](PollLoop& in, BlockLink& link, int wanted) -> Task<int> {
    Receiver from(in, link);
    int received = 0;
    while (received != wanted) {
      if (!co_await from.next_for(long_enough)) break;
      ++received;
    }
    co_return received;
  };
  auto flushing = flush(loop, sender);
  CHECK_FALSE(flushing.done());
  auto counting = count(loop, receiver, sent);
  loop.run().value();
  CHECK_FALSE(flushing.result());
  CHECK(counting.result() == sent);
  CHECK(sender.queued_bytes() == 0);
}

TEST_CASE("a flush ends when its time is up", "[coroutine]") {
  auto [sender, receiver] = link_pair<BlockLink>();
  fill(sender);
  PollLoop loop;
  auto flush = [](PollLoop& in, BlockLink& link) -> Task<std::error_code> {
    co_return (co_await strait::flush(in, link, 20ms)).error();
  };
  auto flushing = flush(loop, sender);
  loop.run().value();
  CHECK(flushing.result() == Errc::timed_out);
  receiver.close();
  auto again = flush(loop, sender);
  loop.run().value();
  CHECK(again.result() == Errc::peer_closed);
}

namespace {

template <class LinkT>
Task<bool> connect_and_call(PollLoop& loop, const Place& place) {
  auto link = co_await strait::connect<LinkT>(loop, place.name, place.token, long_enough);
  if (!link) co_return false;
  co_return co_await call(loop, *link, 10);
}

template <class LinkT>
Task<std::uint64_t> serve_one(PollLoop& loop, LinkT link) {
  co_return co_await echo(loop, link);
}

template <class LinkT>
Task<std::uint64_t> serve_late(PollLoop& loop, const Place& place, int clients) {
  static_cast<void>(co_await strait::sleep_for(loop, 5ms));
  auto server = strait::ChannelServer<LinkT>::listen(place.name, place.token).value();
  std::vector<Task<std::uint64_t>> serving;
  for (int i = 0; i != clients; ++i) {
    auto client = co_await strait::accept(loop, server);
    serving.push_back(serve_one(loop, std::move(client.value())));
  }
  std::uint64_t echoed = 0;
  for (auto& one : serving) echoed += co_await one;
  co_return echoed;
}

}  // namespace

TEMPLATE_TEST_CASE("coroutines find each other by name", "[coroutine]", MachLink, SocketLink,
                   PipeLink) {
  const Place place;
  PollLoop loop;
  constexpr int clients = 3;
  // Before there is a server.
  std::vector<Task<bool>> calling;
  for (int i = 0; i != clients; ++i) calling.push_back(connect_and_call<TestType>(loop, place));
  auto serving = serve_late<TestType>(loop, place, clients);
  loop.run().value();
  for (auto& one : calling) CHECK(one.result());
  CHECK(serving.result() == 10 * clients);
}

TEST_CASE("a listener hears of its peer after connect and accept", "[coroutine]") {
  const Place place;
  PollLoop loop;
  auto server = strait::ChannelServer<SocketLink>::listen(place.name, place.token).value();
  struct Greeted {
    int& greeted;
    void on_connected(const strait::Peer&) { ++greeted; }
    void operator()(const Number&) {}
  };
  int greeted = 0;
  auto client = [](PollLoop& in, const Place& at, int& count) -> Task<> {
    auto link = (co_await strait::connect<SocketLink>(in, at.name, at.token, long_enough)).value();
    Receiver receiver(in, link);
    (co_await receiver.receive(Greeted{count})).value();
  };
  auto serve = [](PollLoop& in, strait::ChannelServer<SocketLink>& at, int& count) -> Task<> {
    auto link = (co_await strait::accept(in, at)).value();
    Receiver receiver(in, link);
    (co_await receiver.receive(Greeted{count})).value();
  };
  auto serving = serve(loop, server, greeted);
  auto calling = client(loop, place, greeted);
  loop.run().value();
  serving.result();
  calling.result();
  CHECK(greeted == 2);
}

TEST_CASE("connect tells why it is refused", "[coroutine]") {
  const Place place;
  PollLoop loop;
  auto attempt = [](PollLoop& in, std::string name, strait::Token token) -> Task<std::error_code> {
    co_return (co_await strait::connect<SocketLink>(in, name, token)).error();
  };
  auto nothing = attempt(loop, place.name, place.token);
  REQUIRE(nothing.done());
  CHECK(nothing.result() == Errc::not_found);

  auto server = strait::ChannelServer<SocketLink>::listen(place.name, place.token).value();
  auto accept = [](PollLoop& in, strait::ChannelServer<SocketLink>& at) -> Task<std::error_code> {
    co_return (co_await strait::accept(in, at)).error();
  };
  auto accepting = accept(loop, server);
  auto stranger = attempt(loop, place.name, strait::Token::generate().value());
  loop.run_while([&] { return !stranger.done(); }).value();
  CHECK(stranger.result() == Errc::bad_token);
  CHECK_FALSE(accepting.done());
  server.close();
  loop.run().value();
  CHECK(accepting.result() == Errc::closed);
}

TEST_CASE("an acceptor is received from as a channel is", "[coroutine]") {
  const Place place;
  PollLoop loop;
  auto acceptor = strait::Acceptor<SocketLink>::listen(place.name, place.token).value();
  auto serve = [](PollLoop& in, strait::Acceptor<SocketLink>& at) -> Task<> {
    Receiver receiver(in, at);
    const auto answer = [](SocketLink& link, const Number& number) { link.send(number).value(); };
    while (co_await receiver.receive(answer)) {
    }
  };
  auto connect = [](PollLoop& in, const Place& at) -> Task<bool> {
    auto link = (co_await strait::connect<SocketLink>(in, at.name, at.token)).value();
    co_return co_await call(in, link, 10);
  };
  auto serving = serve(loop, acceptor);
  auto one = connect(loop, place);
  auto other = connect(loop, place);
  loop.run_while([&] { return !one.done() || !other.done(); }).value();
  CHECK(one.result());
  CHECK(other.result());
}

TEST_CASE("an operation can be started with a callback instead of a coroutine", "[coroutine]") {
  auto [sender, receiver] = link_pair<SocketLink>();
  PollLoop loop;
  Receiver from(loop, receiver);
  auto operation = from.next();
  REQUIRE_FALSE(operation.try_complete());
  int called = 0;
  REQUIRE(operation.start({[](void* count) { ++*static_cast<int*>(count); }, &called}));
  sender.send(Number{3}).value();
  loop.run().value();
  CHECK(called == 1);
  CHECK(operation.result().value().value == 3);
}

TEST_CASE("a loop is stopped from inside, and goes on later", "[coroutine]") {
  auto [sender, receiver] = link_pair<SocketLink>();
  PollLoop loop;
  auto echoing = echo(loop, receiver);
  auto stop = [](PollLoop& in) -> Task<> {
    (co_await strait::sleep_for(in, 1ms)).value();
    in.stop();
  };
  auto stopping = stop(loop);
  loop.run().value();
  CHECK(stopping.done());
  CHECK_FALSE(echoing.done());
  sender.close();
  loop.run().value();
  CHECK(echoing.done());
}

TEST_CASE("a task throws where its result is asked for", "[coroutine]") {
  auto fail = []() -> Task<int> {
    throw std::system_error(strait::make_error_code(Errc::busy));
    co_return 1;
  };
  auto outer = [&]() -> Task<int> {
    auto inner = fail();
    co_return co_await inner;
  };
  auto failing = outer();
  REQUIRE(failing.done());
  CHECK_THROWS_AS(failing.result(), std::system_error);
}

namespace {

struct Asked {
  std::uint64_t number;
};
struct Told {
  std::uint64_t number;
};
using CallLink =
    strait::Channel<strait::MachTransport<>, strait::Calls<strait::TrivialSerializer<Asked, Told>>>;

/// Runs by itself, as far as it comes.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

Detached ask(strait::Caller<CallLink>& caller, std::vector<Result<Told>>& told) {
  for (std::uint64_t i = 0; i != 3; ++i) {
    told.push_back(co_await caller.call<Told>(Asked{i}, long_enough));
  }
  told.push_back(co_await caller.call<Told>(Asked{100}, 5ms));
  caller.close();
  told.push_back(co_await caller.call<Told>(Asked{0}, long_enough));
}

}  // namespace

TEST_CASE("a coroutine awaits its calls", "[coroutine][calls]") {
  auto ends = link_pair<CallLink>();
  CallLink& right = ends.second;
  strait::Caller caller(std::move(ends.first));
  std::optional<strait::Reply<CallLink>> kept;
  auto answers = strait::answering(right, [&](const Asked& asked, strait::Reply<CallLink> reply) {
    if (asked.number == 100) {
      kept = std::move(reply);  // until the caller has given up
      return;
    }
    reply.send(Told{asked.number + 1}).value();
  });
  std::vector<Result<Told>> told;
  ask(caller, told);
  while (told.size() < 4) {
    static_cast<void>(right.poll(answers).value());
    static_cast<void>(caller.poll().value());
  }
  // Closing from inside is done when the call that was handled has ended.
  static_cast<void>(caller.poll());
  REQUIRE(told.size() == 5);
  for (std::uint64_t i = 0; i != 3; ++i) CHECK(told[i].value().number == i + 1);
  CHECK(told[3].error() == Errc::timed_out);
  CHECK(told[4].error() == Errc::closed);
}

namespace {

Task<> ask_once(strait::Caller<CallLink>& caller, bool& resumed) {
  const auto alive = std::make_shared<int>(7);
  static_cast<void>(co_await caller.call<Told>(Asked{1}, long_enough));
  resumed = *alive == 7;
}

}  // namespace

TEST_CASE("a coroutine that is destroyed while it awaits a call is not resumed",
          "[coroutine][calls]") {
  auto ends = link_pair<CallLink>();
  CallLink& right = ends.second;
  auto answers =
      strait::answering(right, [](const Asked& asked) { return Told{asked.number + 1}; });
  bool resumed = false;
  std::optional<strait::Caller<CallLink>> caller(std::move(ends.first));
  SECTION("and its reply is no fault") {
    { const auto asking = ask_once(*caller, resumed); }
    static_cast<void>(right.wait(answers, long_enough).value());
    CHECK(caller->wait(long_enough).value() == 1);
    CHECK(caller->calls_under_way() == 0);
  }
  SECTION("nor is one whose caller is gone") {
    const auto asking = ask_once(*caller, resumed);
    caller.reset();
  }
  CHECK_FALSE(resumed);
}
