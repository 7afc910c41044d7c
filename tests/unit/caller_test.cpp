#include <strait/caller.hpp>

#include <strait/answering.hpp>
#include <strait/channel.hpp>
#include <strait/overloaded.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/loopback.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/socket.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

namespace caller_test {

using namespace std::chrono_literals;
using strait::answering;
using strait::Caller;
using strait::CallId;
using strait::Calls;
using strait::Channel;
using strait::Errc;
using strait::Result;
using strait::detail::CallKind;
using strait::detail::CallTrailer;
using strait::detail::OutgoingCall;

struct Add {
  std::int32_t a;
  std::int32_t b;
};
struct Sum {
  std::int32_t value;
};
struct Failure {
  std::int32_t why;
};
struct Event {
  std::int32_t number;
};

using Messages = strait::TrivialSerializer<Add, Sum, Failure, Event>;
template <class TransportT>
using LinkOver = Channel<TransportT, Calls<Messages>>;
using Link = LinkOver<strait::LoopbackTransport>;

/// Two ends in one process, over a transport that may have no pairs of them.
template <class LinkT>
std::pair<LinkT, LinkT> connected() {
  const auto name = strait_test::unique_name("caller");
  const auto token = strait::Token::generate().value();
  auto server = LinkT::listen(name, token).value();
  auto client = LinkT::connect(name, token).value();
  const auto ignore = [](const auto&) {};
  while (server.waiting_connect() || client.waiting_connect()) {
    static_cast<void>(server.poll(ignore).value());
    static_cast<void>(client.poll(ignore).value());
  }
  return {std::move(client), std::move(server)};
}

/// What became of calls, in the order in which they ended.
struct Outcomes {
  std::vector<std::int32_t> sums;
  std::vector<std::error_code> errors;

  auto handler() {
    return strait::overloaded{[this](const Sum& sum) { sums.push_back(sum.value); },
                              [this](std::error_code why) { errors.push_back(why); }};
  }
  std::size_t ended() const { return sums.size() + errors.size(); }
};

template <class TransportT = strait::LoopbackTransport>
struct Ends {
  using LinkT = LinkOver<TransportT>;
  Caller<LinkT> caller;
  LinkT server;
  Outcomes outcomes;

  static Ends make() {
    auto [a, b] = connected<LinkT>();
    return {Caller<LinkT>(std::move(a)), std::move(b), {}};
  }
  template <class Handlers>
  void serve(Handlers handlers) {
    auto listener = answering(server, std::move(handlers));
    static_cast<void>(server.wait(listener, 1s).value());
  }
  void hear() { static_cast<void>(caller.wait(1s).value()); }
};

const auto add = [](const Add& asked) { return Sum{asked.a + asked.b}; };

TEMPLATE_TEST_CASE("caller: a call is answered by what the listener returns", "[calls]",
                   strait::LoopbackTransport, strait::SocketTransport, strait::MachTransport<>) {
  auto ends = Ends<TestType>::make();
  ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  CHECK(ends.caller.calls_under_way() == 1);
  ends.serve(add);
  ends.hear();
  CHECK(ends.outcomes.sums == std::vector{3});
  CHECK(ends.outcomes.errors.empty());
  CHECK(ends.caller.calls_under_way() == 0);
}

TEST_CASE("caller: replies come in any order, each to its own call", "[calls]") {
  auto ends = Ends<>::make();
  for (const int number : {1, 2, 3}) {
    ends.caller.call(Add{number, 0}, 10s, ends.outcomes.handler()).value();
  }
  using LateReply = strait::Reply<Link>;
  std::vector<std::pair<Add, LateReply>> later;
  ends.serve(
      [&](const Add& asked, LateReply reply) { later.emplace_back(asked, std::move(reply)); });
  REQUIRE(later.size() == 3);
  for (const std::size_t which : {2U, 0U, 1U}) {
    auto& [asked, reply] = later[which];
    CHECK(reply);
    reply.send(Sum{asked.a * 10}).value();
    CHECK(!reply);
    CHECK(reply.send(Sum{0}).failed_with(Errc::closed));
  }
  while (ends.caller.calls_under_way() != 0) ends.hear();
  CHECK(ends.outcomes.sums == std::vector{30, 10, 20});
}

TEST_CASE("caller: an error of the user's own is a reply", "[calls]") {
  auto ends = Ends<>::make();
  std::int32_t why = 0;
  ends.caller
      .call(Add{1, 2}, 10s,
            strait::overloaded{[](const Sum&) { FAIL("a sum"); },
                               [&](const Failure& failure) { why = failure.why; },
                               [](std::error_code) { FAIL("an error"); }})
      .value();
  ends.serve([](const Add&) { return std::variant<Sum, Failure>(Failure{7}); });
  ends.hear();
  CHECK(why == 7);
}

TEST_CASE("caller: one type of reply is a Result of it", "[calls]") {
  auto ends = Ends<>::make();
  std::vector<Result<Sum>> results;
  const auto keep = [&](Result<Sum> result) { results.push_back(std::move(result)); };
  ends.caller.call<Sum>(Add{1, 2}, 10s, keep).value();
  ends.caller.call<Sum>(Add{3, 4}, 10s, keep).value();
  ends.serve([](const Add& asked, auto reply) {
    if (asked.a == 1) reply.send(Sum{3}).value();
  });
  while (results.size() != 2) ends.hear();
  CHECK(results[0].value().value == 3);
  CHECK(results[1].failed_with(Errc::unanswered));
}

TEST_CASE("caller: a call whose time is up ends once, and its late reply is no fault", "[calls]") {
  auto ends = Ends<>::make();
  ends.caller.call(Add{1, 2}, 5ms, ends.outcomes.handler()).value();
  ends.hear();
  REQUIRE(ends.outcomes.errors.size() == 1);
  CHECK(ends.outcomes.errors[0] == Errc::timed_out);
  ends.serve(add);
  CHECK(ends.caller.poll().value() == 1);  // the late reply, which nobody hears
  ends.caller.call(Add{3, 4}, 10s, ends.outcomes.handler()).value();
  ends.serve(add);
  ends.hear();
  CHECK(ends.outcomes.sums == std::vector{7});
  CHECK(ends.outcomes.errors.size() == 1);
}

TEST_CASE("caller: the next time is that of the earliest call, whatever comes and goes",
          "[calls]") {
  using strait::detail::CallTable;
  using strait::detail::Deadline;
  using strait::detail::ReplyHandler;
  CallTable table;
  std::vector<std::pair<CallId, Deadline>> calls;
  std::mt19937 random(7);
  int ended = 0;
  for (int step = 0; step != 3000; ++step) {
    if (calls.empty() || random() % 3 != 0) {
      const auto deadline = Deadline::after(std::chrono::seconds(1000 + random() % 1000));
      auto handler = ReplyHandler::make<Messages>(
          strait::overloaded{[](const Sum&) {}, [&](std::error_code) { ++ended; }});
      calls.emplace_back(table.add(std::move(handler), deadline, false).value(), deadline);
    } else {
      const std::size_t which = random() % calls.size();
      REQUIRE(table.give_up(calls[which].first, make_error_code(Errc::closed)));
      calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(which));
    }
    Deadline earliest = Deadline::never();
    for (const auto& call : calls) earliest = Deadline::earlier(earliest, call.second);
    REQUIRE(table.next_deadline() == earliest);
  }
  REQUIRE(table.waiting() == calls.size());
  table.end_all(make_error_code(Errc::closed));
  CHECK(table.next_deadline().is_never());
  CHECK(table.waiting() == 0);
}

TEST_CASE("caller: all whose time is up end, and no others", "[calls]") {
  auto ends = Ends<>::make();
  ends.caller.call(Add{}, 1h, ends.outcomes.handler()).value();
  for (int i = 0; i != 5; ++i) ends.caller.call(Add{}, 1ms, ends.outcomes.handler()).value();
  while (ends.caller.calls_under_way() != 1) ends.hear();
  REQUIRE(ends.outcomes.errors.size() == 5);
  for (const auto error : ends.outcomes.errors) CHECK(error == Errc::timed_out);
}

TEST_CASE("caller: the time of a call makes its handle ready", "[calls]") {
  auto ends = Ends<strait::SocketTransport>::make();
  const auto handle = ends.caller.native_handle().value();
  static_cast<void>(ends.caller.poll().value());
  ends.caller.call(Add{}, 10s, ends.outcomes.handler()).value();
  ends.caller.call(Add{}, 20ms, ends.outcomes.handler()).value();
  const auto interest = strait::Interest::to_read(handle);
  const auto until = strait::detail::Deadline::after(20s);
  while (ends.outcomes.ended() == 0) {
    strait::os::wait_for({interest}, until).value();
    REQUIRE(!until.passed());
    static_cast<void>(ends.caller.poll().value());
  }
  CHECK(ends.outcomes.errors.at(0) == Errc::timed_out);
}

TEST_CASE("caller: a cancelled call ends once, and its late reply is no fault", "[calls]") {
  auto ends = Ends<>::make();
  const auto id = ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  CHECK(ends.caller.cancel(id));
  CHECK(ends.outcomes.errors == std::vector{std::make_error_code(std::errc::operation_canceled)});
  ends.serve(add);
  static_cast<void>(ends.caller.poll().value());
  CHECK(ends.outcomes.ended() == 1);
  CHECK(!ends.caller.cancel(id));
}

TEST_CASE("caller: handlers may call and cancel", "[calls]") {
  auto ends = Ends<>::make();
  CallId other{};
  int ended = 0;
  ends.caller
      .call(Add{1, 1}, 10s,
            strait::overloaded{[&](const Sum&) {
                                 ++ended;
                                 CHECK(ends.caller.cancel(other));
                                 ends.caller.call(Add{5, 5}, 10s, ends.outcomes.handler()).value();
                               },
                               [](std::error_code) { FAIL("an error"); }})
      .value();
  other = ends.caller.call(Add{2, 2}, 10s, ends.outcomes.handler()).value();
  ends.serve(add);
  while (ended == 0) ends.hear();
  ends.serve(add);
  while (ends.caller.calls_under_way() != 0) ends.hear();
  CHECK(ends.outcomes.sums == std::vector{10});
  CHECK(ends.outcomes.errors.size() == 1);
}

TEST_CASE("caller: what the peer does not answer is told", "[calls]") {
  auto ends = Ends<>::make();
  const auto call = [&] { ends.caller.call(Add{}, 10s, ends.outcomes.handler()).value(); };
  call();
  ends.serve([](const Add&, auto reply) { static_cast<void>(reply); });
  call();
  ends.serve([](const Add&) {});
  call();
  auto others = answering(ends.server, [](const Event&) {});
  CHECK(ends.server.wait(others, 1s).failed_with(Errc::unexpected_message));
  while (ends.outcomes.ended() != 3) ends.hear();
  for (const auto error : ends.outcomes.errors) CHECK(error == Errc::unanswered);
  CHECK(ends.outcomes.errors.size() == 3);

  // A caller that does not answer says so, too.
  Caller<Link> other(std::move(ends.server));
  call();
  CHECK(other.poll().failed_with(Errc::unexpected_message));
  ends.hear();
  CHECK(ends.outcomes.errors.size() == 4);
}

TEST_CASE("caller: a reply of another type is unexpected for its call alone", "[calls]") {
  auto ends = Ends<>::make();
  ends.caller.call(Add{}, 10s, ends.outcomes.handler()).value();
  ends.serve([](const Add&) { return Failure{1}; });
  ends.hear();
  REQUIRE(ends.outcomes.errors.size() == 1);
  CHECK(ends.outcomes.errors[0] == Errc::unexpected_message);
  ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  ends.serve(add);
  ends.hear();
  CHECK(ends.outcomes.sums == std::vector{3});
}

TEST_CASE("caller: a stream of replies has a last one", "[calls]") {
  auto ends = Ends<>::make();
  const auto count_up = [](const Add& asked, auto reply) {
    for (std::int32_t i = asked.a; i != asked.b; ++i) reply.part(Sum{i}).value();
    reply.send(Sum{asked.b}).value();
  };
  ends.caller.stream(Add{1, 4}, 10s, ends.outcomes.handler()).value();
  ends.serve(count_up);
  while (ends.outcomes.errors.empty()) ends.hear();
  CHECK(ends.outcomes.sums == std::vector{1, 2, 3, 4});
  CHECK(ends.outcomes.errors == std::vector{std::error_code()});

  // A call for one reply takes no parts, and is told once.
  ends.outcomes = {};
  ends.caller.call(Add{1, 4}, 10s, ends.outcomes.handler()).value();
  ends.serve(count_up);
  for (int i = 0; i != 5; ++i) static_cast<void>(ends.caller.poll().value());
  CHECK(ends.outcomes.sums.empty());
  REQUIRE(ends.outcomes.errors.size() == 1);
  CHECK(ends.outcomes.errors[0] == Errc::unexpected_message);

  // Given up in the middle, by its own handler.
  CallId id{};
  std::vector<std::error_code> errors;
  int parts = 0;
  id = ends.caller
           .stream(Add{1, 4}, 10s,
                   strait::overloaded{[&](const Sum&) {
                                        if (++parts == 2) CHECK(ends.caller.cancel(id));
                                      },
                                      [&](std::error_code why) { errors.push_back(why); }})
           .value();
  ends.serve(count_up);
  for (int i = 0; i != 5; ++i) static_cast<void>(ends.caller.poll().value());
  CHECK(parts == 2);
  CHECK(errors == std::vector{std::make_error_code(std::errc::operation_canceled)});
}

TEST_CASE("caller: what a handler throws is the caller's, and its stream goes on", "[calls]") {
  auto ends = Ends<>::make();
  std::vector<std::int32_t> parts;
  std::vector<std::error_code> errors;
  ends.caller
      .stream(Add{1, 3}, 10s,
              strait::overloaded{[&](const Sum& sum) {
                                   parts.push_back(sum.value);
                                   if (sum.value == 1) throw 7;
                                 },
                                 [&](std::error_code why) { errors.push_back(why); }})
      .value();
  ends.serve([](const Add& asked, auto reply) {
    for (std::int32_t i = asked.a; i != asked.b; ++i) reply.part(Sum{i}).value();
    reply.send(Sum{asked.b}).value();
  });
  CHECK_THROWS_AS(ends.caller.poll(), int);
  while (errors.empty()) ends.hear();
  CHECK(parts == std::vector{1, 2, 3});
  CHECK(errors == std::vector{std::error_code()});
}

TEST_CASE("caller: calls end with what ends the channel", "[calls]") {
  auto ends = Ends<strait::SocketTransport>::make();
  for (int i = 0; i != 3; ++i) ends.caller.call(Add{}, 10s, ends.outcomes.handler()).value();
  SECTION("the peer closes") {
    ends.server.close();
    Result<std::size_t> heard = 0;
    while (heard) heard = ends.caller.wait(1s);
    CHECK(heard.failed_with(Errc::peer_closed));
    for (const auto error : ends.outcomes.errors) CHECK(error == Errc::peer_closed);
  }
  SECTION("this end closes") {
    ends.caller.close();
    for (const auto error : ends.outcomes.errors) CHECK(error == Errc::closed);
  }
  CHECK(ends.outcomes.errors.size() == 3);
  CHECK(ends.outcomes.sums.empty());
}

TEMPLATE_TEST_CASE("caller: run ends when it is told to stop", "[calls]", strait::SocketTransport,
                   strait::MachTransport<>) {
  auto ends = Ends<TestType>::make();
  auto& caller = ends.caller;
  const auto fail = [](const auto&) { FAIL("a message"); };
  SECTION("before it has begun, and that once") {
    caller.stop();
    CHECK(caller.run(fail).has_value());
    CHECK(caller.wait(fail, 1ms).value() == 0);
  }
  SECTION("by another thread, with no call under way") {
    std::thread other([&] { caller.stop(); });
    CHECK(caller.run(fail).has_value());
    other.join();
  }
  SECTION("by another thread, with calls under way") {
    caller.call(Add{}, 10s, ends.outcomes.handler()).value();
    std::thread other([&] { caller.stop(); });
    CHECK(caller.run(fail).has_value());
    other.join();
    CHECK(caller.calls_under_way() == 1);
  }
  SECTION("by what it calls: the rest is for later") {
    std::vector<std::int32_t> events;
    const auto stops = [&](const Event& event) {
      events.push_back(event.number);
      caller.channel().stop();
    };
    ends.server.send(Event{1}).value();
    ends.server.send(Event{2}).value();
    CHECK(caller.run(stops).has_value());
    CHECK(events == std::vector{1});
    CHECK(caller.run(stops).has_value());
    CHECK(events == std::vector{1, 2});
  }
  SECTION("by a handler") {
    caller.template call<Sum>(Add{}, 1ms, [&](Result<Sum>) { caller.stop(); }).value();
    CHECK(caller.run(fail).has_value());
    CHECK(caller.calls_under_way() == 0);
    CHECK(caller.wait(fail, 1ms).value() == 0);
  }
}

TEST_CASE("caller: handlers are destroyed uncalled with their caller", "[calls]") {
  const auto alive = std::make_shared<int>(0);
  const auto handler = [alive](Result<Sum>) { FAIL("a result"); };
  auto ends = Ends<>::make();
  ends.caller.call<Sum>(Add{}, 10s, handler).value();
  CHECK(alive.use_count() == 3);
  SECTION("destroyed") { const auto gone = std::move(ends.caller); }
  SECTION("assigned to") { ends.caller = std::move(Ends<>::make().caller); }
  CHECK(alive.use_count() == 2);
}

TEST_CASE("caller: what is no call goes both ways beside calls", "[calls]") {
  auto ends = Ends<>::make();
  std::vector<std::int32_t> events;
  const auto note = [&](const Event& event) { events.push_back(event.number); };
  ends.caller.send(Event{1}).value();
  ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  ends.server.send(Event{2}).value();
  ends.serve(strait::overloaded{add, note});
  static_cast<void>(ends.caller.poll(note).value());
  CHECK(events == std::vector{1, 2});
  CHECK(ends.outcomes.sums == std::vector{3});
  // Without a listener they are unexpected, and a listener that takes all gets no calls.
  ends.server.send(Event{3}).value();
  CHECK(ends.caller.poll().failed_with(Errc::unexpected_message));
  ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  CHECK(
      ends.server.poll([](const auto&) { FAIL("a call"); }).failed_with(Errc::unexpected_message));
}

TEST_CASE("caller: both sides may call", "[calls]") {
  auto ends = Ends<>::make();
  Caller<Link> other(std::move(ends.server));
  Outcomes others;
  ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();
  other.call(Add{3, 4}, 10s, others.handler()).value();
  auto left = answering(ends.caller, add);
  auto right = answering(other, add);
  while (ends.outcomes.ended() + others.ended() != 2) {
    static_cast<void>(ends.caller.poll(left).value());
    static_cast<void>(other.poll(right).value());
  }
  CHECK(ends.outcomes.sums == std::vector{3});
  CHECK(others.sums == std::vector{7});
}

TEST_CASE("caller: handlers of any size, also such as can't be copied", "[calls]") {
  auto ends = Ends<>::make();
  const std::array<std::int64_t, 64> large{7};
  auto owned = std::make_unique<int>(8);
  std::int64_t seen = 0;
  ends.caller
      .call(Add{}, 10s,
            strait::overloaded{[&seen, large](const Sum&) { seen += large[0]; },
                               [](std::error_code) {}})
      .value();
  ends.caller
      .call<Sum>(Add{}, 10s, [&seen, owned = std::move(owned)](Result<Sum>) { seen += *owned; })
      .value();
  ends.serve(add);
  while (ends.caller.calls_under_way() != 0) ends.hear();
  CHECK(seen == 15);
}

struct Named {
  std::string name;
};
struct Length {
  std::uint64_t bytes = 0;
  std::string_view name;
};

TEST_CASE("caller: messages of any size, with all that a serializer takes", "[calls]") {
  using Strings = strait::StructSerializer<Named, Length>;
  using StringLink = Channel<strait::MachTransport<>, Calls<Strings>>;
  auto [a, b] = connected<StringLink>();
  Caller caller(std::move(a));
  auto server = answering(b, [](const Named& asked) {
    return Length{asked.name.size(), std::string_view(asked.name).substr(0, 3)};
  });
  for (const std::size_t size : {0U, 1U, 5000U, 100'000U, 3'000'000U}) {
    const std::string name(size, 'n');
    std::optional<std::uint64_t> bytes;
    caller
        .call(Named{name}, 10s,
              strait::overloaded{[&](const Length& length) {
                                   bytes = length.bytes;
                                   CHECK(length.name == name.substr(0, 3));
                                 },
                                 [](std::error_code) {}})
        .value();
    while (caller.calls_under_way() != 0) {
      static_cast<void>(b.poll(server).value());
      static_cast<void>(caller.poll().value());
    }
    CHECK(bytes == size);
  }
}

// --- a peer that breaks the rules ---------------------------------------------------------------

/// Sends what it likes where replies belong.
struct Rogue {
  Ends<> ends = Ends<>::make();
  CallId id = ends.caller.call(Add{1, 2}, 10s, ends.outcomes.handler()).value();

  template <class Message>
  void send(CallKind kind, std::uint64_t number, const Message& message) {
    ends.server.send(OutgoingCall<Message>{message, {kind, CallId{number}}}).value();
  }
  template <class Message>
  void reply(const Message& message) {
    send(CallKind::reply, static_cast<std::uint64_t>(id), message);
  }
  std::error_code heard() {
    Result<std::size_t> heard = 0;
    for (int i = 0; i != 4 && heard; ++i) heard = ends.caller.poll();
    return heard.error();
  }
};

TEST_CASE("caller: a reply to what was not asked is malformed", "[calls][hostile]") {
  Rogue rogue;
  const auto id = static_cast<std::uint64_t>(rogue.id);
  const auto number = GENERATE_COPY(id + 1, id + (std::uint64_t{1} << 24), std::uint64_t{1} << 55,
                                    (std::uint64_t{1} << 56) - 1);
  const auto kind = GENERATE(CallKind::reply, CallKind::part, CallKind::unanswered);
  rogue.send(kind, number, Sum{1});
  CHECK(rogue.heard() == Errc::malformed);
  CHECK(rogue.ends.outcomes.sums.empty());
  REQUIRE(rogue.ends.outcomes.errors.size() == 1);
  CHECK(rogue.ends.outcomes.errors[0] == Errc::malformed);
}

TEST_CASE("caller: a second reply is malformed, also when its place was taken again",
          "[calls][hostile]") {
  Rogue rogue;
  rogue.reply(Sum{1});
  CHECK(!rogue.heard());
  CHECK(rogue.ends.outcomes.sums == std::vector{1});
  rogue.ends.caller.call(Add{}, 10s, rogue.ends.outcomes.handler()).value();
  rogue.reply(Sum{2});
  CHECK(rogue.heard() == Errc::malformed);
  CHECK(rogue.ends.outcomes.sums == std::vector{1});
}

TEST_CASE("caller: a reply to one that only answers is malformed", "[calls][hostile]") {
  auto ends = Ends<>::make();
  ends.caller.send(OutgoingCall<Sum>{Sum{1}, {CallKind::reply, CallId{std::uint64_t{1} << 24}}})
      .value();
  auto listener = answering(ends.server, add);
  CHECK(ends.server.wait(listener, 1s).failed_with(Errc::malformed));
}

TEST_CASE("calls: every trailer is read or malformed", "[calls][hostile]") {
  const auto read = [](std::uint64_t packed, std::size_t size) {
    std::array<std::byte, 8> bytes;
    std::memcpy(bytes.data(), &packed, sizeof packed);
    return CallTrailer::read(std::span(bytes).first(size));
  };
  for (std::size_t size = 0; size != 8; ++size) {
    CHECK(read(0, size).failed_with(Errc::malformed));
  }
  CHECK(read(0, 8).value().kind == CallKind::message);
  CHECK(read(7ULL << 8 | 1, 8).value().kind == CallKind::call);
  CHECK(read(7ULL << 8 | 1, 8).value().id == CallId{7});
  CHECK(read(7ULL << 8 | 4, 8).value().kind == CallKind::unanswered);
  // A call without a number, a number without a call, and kinds that there are not.
  for (const std::uint64_t packed : {1ULL, 7ULL << 8, 7ULL << 8 | 5, 7ULL << 8 | 255}) {
    CHECK(read(packed, 8).failed_with(Errc::malformed));
  }
  // What is written is read as what it was.
  for (const CallKind kind : {CallKind::call, CallKind::part, CallKind::reply}) {
    std::array<std::byte, 8> bytes;
    CallTrailer{kind, CallId{(std::uint64_t{1} << 56) - 1}}.write(bytes.data());
    const auto trailer = CallTrailer::read(bytes).value();
    CHECK(trailer.kind == kind);
    CHECK(trailer.id == CallId{(std::uint64_t{1} << 56) - 1});
  }
}

TEST_CASE("caller: a reply that is no message ends the call and the channel", "[calls][hostile]") {
  std::vector<std::error_code> errors;
  strait::detail::CallTable table;
  const auto id = table
                      .add(strait::detail::ReplyHandler::make<Messages>(strait::overloaded{
                               [](const Sum&) { FAIL("a sum"); },
                               [&](std::error_code why) { errors.push_back(why); }}),
                           strait::detail::Deadline::never(), false)
                      .value();
  const std::array<std::byte, 2> two{};
  Result<void> result;
  const std::uint16_t sum_tag = Messages::tag(Sum{});
  CHECK(table.reply({{CallKind::reply, id}, sum_tag, two, result}).failed_with(Errc::malformed));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == Errc::malformed);
  CHECK(table.waiting() == 0);
}

TEST_CASE("caller: a peer that never replies costs the places of its calls", "[calls][hostile]") {
  auto ends = Ends<>::make();
  for (int round = 0; round != 20; ++round) {
    for (int i = 0; i != 50; ++i) ends.caller.call(Add{}, 0s, ends.outcomes.handler()).value();
    static_cast<void>(ends.caller.poll().value());
  }
  CHECK(ends.outcomes.errors.size() == 1000);
  CHECK(ends.caller.calls_under_way() == 0);
  // All late replies find their places.
  auto answers = answering(ends.server, add);
  for (std::size_t answered = 0; answered != 1000;) {
    const auto handled = ends.server.wait(answers, 1s).value();
    REQUIRE(handled != 0);
    answered += handled;
    static_cast<void>(ends.caller.poll());
  }
  CHECK(ends.outcomes.ended() == 1000);
  ends.caller.call(Add{1, 1}, 10s, ends.outcomes.handler()).value();
  ends.serve(add);
  while (ends.caller.calls_under_way() != 0) ends.hear();
  CHECK(ends.outcomes.sums == std::vector{2});
}

}  // namespace caller_test
