// Messages of which only the last ones wait: for a receiver that need not see every one.

#include <array>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace strait_test::keep_last {

/// A frame of a camera, of which only the latest is of use.
struct Shot {
  using queue_policy = strait::Conflate;
  std::uint64_t number;
  std::array<std::uint64_t, 4'000> pixels;
};
/// Three of these may wait.
struct Sample {
  using queue_policy = strait::KeepLast<3>;
  std::uint64_t number;
};
/// None of these may be lost.
struct Command {
  std::uint64_t number;
};
/// A type that is not its user's own.
struct Foreign {
  std::uint64_t number;
};

/// Keeps account of what was dropped.
struct Conflated {
  std::size_t messages = 0;
  void on_conflated(std::size_t count) { messages += count; }
};

struct Seen {
  std::vector<std::uint64_t> shots{};
  std::vector<std::uint64_t> samples{};
  std::vector<std::uint64_t> commands{};
  std::vector<std::uint64_t> foreign{};
  /// All of them, by what has sent them: their numbers only grow.
  std::vector<std::uint64_t> all{};
  bool whole = true;

  void operator()(const Shot& shot) {
    for (const auto pixel : shot.pixels) whole = whole && pixel == shot.number;
    shots.push_back(shot.number);
    all.push_back(shot.number);
  }
  void operator()(const Sample& sample) {
    samples.push_back(sample.number);
    all.push_back(sample.number);
  }
  void operator()(const Command& command) {
    commands.push_back(command.number);
    all.push_back(command.number);
  }
  void operator()(const Foreign& foreign_one) {
    foreign.push_back(foreign_one.number);
    all.push_back(foreign_one.number);
  }
};

template <class T,
          strait::ChannelOptions options = strait::ChannelOptions{.max_queued_bytes = 1 << 20}>
using FrameLink = strait::Channel<T, strait::TrivialSerializer<Shot, Sample, Command, Foreign>,
                                  options, Conflated>;

inline Shot shot(std::uint64_t number) {
  Shot made;
  made.number = number;
  made.pixels.fill(number);
  return made;
}

/// A server and a client of such a channel.
template <class LinkT>
struct KeepEnds {
  LinkT server;
  LinkT client;
  Seen seen{};

  template <class Done>
  bool pump_until(Done done) {
    Seen nothing;
    return strait_test::pump_until(server, seen, client, nothing, done);
  }
};

template <class LinkT>
KeepEnds<LinkT> connect() {
  const auto token = new_token();
  const auto name = unique_name("keep-last");
  auto server = LinkT::listen(name, token);
  auto client = LinkT::connect(name, token);
  KeepEnds<LinkT> ends{std::move(server).value(), std::move(client).value()};
  REQUIRE(ends.pump_until(
      [&] { return !ends.server.waiting_connect() && !ends.client.waiting_connect(); }));
  return ends;
}

inline bool grows(const std::vector<std::uint64_t>& numbers) {
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] <= numbers[i - 1]) return false;
  }
  return true;
}

}  // namespace strait_test::keep_last

template <>
struct strait::QueuePolicy<strait_test::keep_last::Foreign> : strait::KeepLast<2> {};

namespace strait_test::keep_last {

TEMPLATE_TEST_CASE("of messages that conflate only the latest waits, whole and in order",
                   "[queue][conflate]", STRAIT_TEST_UNREAD) {
  auto ends = connect<FrameLink<TestType>>();
  constexpr std::uint64_t count = 500;
  // Many times more than the queue may hold, and none is refused.
  for (std::uint64_t i = 1; i <= count; ++i) REQUIRE(ends.client.send(shot(i)));
  // One waits, one has left in part, and a loan takes up to twice the message's size.
  CHECK(ends.client.queued_bytes() < (1 << 20) + 4 * sizeof(Shot));
  const std::size_t dropped = ends.client.observer().messages;
  CHECK(dropped > count / 4);
  REQUIRE(
      ends.pump_until([&] { return !ends.seen.shots.empty() && ends.seen.shots.back() == count; }));
  CHECK(ends.seen.shots.size() + dropped == count);
  CHECK(grows(ends.seen.shots));
  CHECK(ends.seen.whole);
  CHECK(ends.client.queued_bytes() == 0);
  // With room again nothing is dropped.
  REQUIRE(ends.client.send(shot(count + 1)));
  REQUIRE(ends.pump_until([&] { return ends.seen.shots.back() == count + 1; }));
  CHECK(ends.client.observer().messages == dropped);
}

TEMPLATE_TEST_CASE("each type waits by its own rule, and the order is the sender's",
                   "[queue][conflate]", STRAIT_TEST_UNREAD) {
  auto ends = connect<FrameLink<TestType>>();
  std::uint64_t number = 0;
  std::vector<std::uint64_t> commands;
  // Until a queue is there, whatever the transport takes before.
  while (ends.client.queued_bytes() < 200'000) {
    REQUIRE(ends.client.send(Command{++number}));
    commands.push_back(number);
  }
  std::uint64_t last_shot = 0, last_foreign = 0;
  for (int i = 0; i != 50; ++i) {
    REQUIRE(ends.client.send(Command{++number}));
    commands.push_back(number);
    REQUIRE(ends.client.send(Sample{++number}));
    REQUIRE(ends.client.send(shot(last_shot = ++number)));
    REQUIRE(ends.client.send(Foreign{last_foreign = ++number}));
  }
  CHECK(ends.client.observer().messages == 47 + 49 + 48);
  REQUIRE(ends.pump_until([&] { return ends.seen.all.size() >= commands.size() + 3 + 1 + 2; }));
  CHECK(ends.seen.commands == commands);
  CHECK(ends.seen.samples.size() == 3);
  CHECK(ends.seen.shots == std::vector{last_shot});
  CHECK(ends.seen.foreign == std::vector{last_foreign - 4, last_foreign});
  CHECK(grows(ends.seen.all));
  CHECK(ends.seen.whole);
}

TEMPLATE_TEST_CASE("a channel keeps the last of all its messages", "[queue][conflate]",
                   STRAIT_TEST_UNREAD) {
  auto ends = connect<FrameLink<TestType, strait::ChannelOptions{.keep_last = 5}>>();
  std::uint64_t number = 0;
  while (ends.client.observer().messages < 100) REQUIRE(ends.client.send(Command{++number}));
  const std::uint64_t all = number;
  REQUIRE(ends.pump_until([&] { return !ends.seen.all.empty() && ends.seen.all.back() == all; }));
  CHECK(ends.seen.commands.size() + 100 == all);
  CHECK(grows(ends.seen.commands));
  // The last five in a row.
  for (std::size_t i = 0; i != 5; ++i) {
    CHECK(ends.seen.commands[ends.seen.commands.size() - 1 - i] == all - i);
  }
}

TEMPLATE_TEST_CASE("what waits for a peer conflates, too", "[queue][conflate]",
                   STRAIT_TEST_TRANSPORTS) {
  using LinkT = FrameLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("keep-last");
  auto server = LinkT::listen(name, token);
  auto client = LinkT::connect(name, token);
  KeepEnds<LinkT> ends{std::move(server).value(), std::move(client).value()};
  for (std::uint64_t i = 1; i <= 10; ++i) {
    REQUIRE(ends.client.send(shot(i)));
    REQUIRE(ends.client.send(Command{100 + i}));
  }
  CHECK(ends.client.observer().messages == 9);
  REQUIRE(ends.pump_until([&] { return ends.seen.all.size() >= 11; }));
  CHECK(ends.seen.shots == std::vector<std::uint64_t>{10});
  CHECK(ends.seen.commands.size() == 10);
  CHECK(ends.seen.commands.front() == 101);
}

TEMPLATE_TEST_CASE("large messages out of line conflate beyond what may be under way",
                   "[queue][conflate][out_of_line]", STRAIT_TEST_UNREAD) {
  constexpr std::size_t small_bound = 200'000;  // six of them
  auto ends =
      connect<FrameLink<TestType, strait::ChannelOptions{.max_queued_bytes = small_bound}>>();
  constexpr std::uint64_t count = 300;
  for (std::uint64_t i = 1; i <= count; ++i) {
    auto buffer = ends.client.template out_of_line<Shot>().value();
    *buffer.writable().value() = shot(i);
    REQUIRE(ends.client.send(std::move(buffer)));
    REQUIRE(!buffer);
    CHECK(ends.client.queued_bytes() <= small_bound + 2 * (sizeof(Shot) + 8));
  }
  REQUIRE(
      ends.pump_until([&] { return !ends.seen.shots.empty() && ends.seen.shots.back() == count; }));
  CHECK(ends.seen.shots.size() + ends.client.observer().messages == count);
  CHECK(grows(ends.seen.shots));
  CHECK(ends.seen.whole);
  REQUIRE(ends.client.flush(long_enough));
}

TEMPLATE_TEST_CASE("the rights of messages that were replaced are closed, those of others arrive",
                   "[queue][conflate][rights]", STRAIT_TEST_RIGHTS) {
  auto ends = connect<FrameLink<TestType>>();
  std::uint64_t number = 0;
  while (ends.client.queued_bytes() < 100'000) REQUIRE(ends.client.send(Command{++number}));
  // Each shot takes the writing end of a pipe with it: when it is dropped, that is closed.
  std::vector<std::array<Descriptor, 2>> pipes;
  for (int i = 0; i != 4; ++i) {
    pipes.push_back(plain_pipe());
    strait::Rights rights;
    REQUIRE(rights.add(std::move(pipes.back()[1])));
    REQUIRE(ends.client.send(shot(++number), std::move(rights)));
    REQUIRE(ends.client.send(Command{++number}));
  }
  CHECK(ends.client.observer().messages == 3);
  for (int i = 0; i != 3; ++i) CHECK(has_ended(pipes[static_cast<std::size_t>(i)][0]));
  CHECK(!has_ended(pipes[3][0]));
  std::uint64_t with_right = 0;
  std::uint64_t last = 0;
  const auto listener = strait::overloaded{[&](const Shot& received, strait::Rights rights) {
                                             CHECK(rights.size() == 1);
                                             with_right = received.number;
                                             CHECK(!has_ended(pipes[3][0]));
                                           },
                                           [&](const auto& other) { last = other.number; }};
  const auto ignore = [](const auto&) {};
  REQUIRE(strait_test::pump_until(ends.server, listener, ends.client, ignore,
                                  [&] { return last == number; }));
  CHECK(with_right == number - 1);
}

TEMPLATE_TEST_CASE("a slow one of many receivers gets the latest, the others get all",
                   "[queue][conflate][acceptor]", STRAIT_TEST_UNREAD) {
  using LinkT = FrameLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("keep-last");
  auto server = strait::Acceptor<LinkT>::listen(name, token).value();
  auto fast = LinkT::connect(name, token).value();
  auto slow = LinkT::connect(name, token).value();
  Seen nothing, at_fast, at_slow;
  const auto serve = [&] { static_cast<void>(server.poll([](LinkT&, const auto&) {})); };
  REQUIRE(repeat_until([&] {
    serve();
    static_cast<void>(fast.poll(at_fast));
    static_cast<void>(slow.poll(at_slow));
    return server.size() == 2 && !fast.waiting_connect() && !slow.waiting_connect();
  }));
  constexpr std::uint64_t count = 500;
  for (std::uint64_t i = 1; i <= count; ++i) {
    CHECK(server.send_all(shot(i)) == 2);
    REQUIRE(repeat_until([&] {
      serve();
      static_cast<void>(fast.poll(at_fast));
      return !at_fast.shots.empty() && at_fast.shots.back() == i;
    }));
  }
  CHECK(at_fast.shots.size() == count);
  REQUIRE(repeat_until([&] {
    serve();
    static_cast<void>(slow.poll(at_slow));
    return !at_slow.shots.empty() && at_slow.shots.back() == count;
  }));
  CHECK(at_slow.shots.size() < count);
  CHECK(grows(at_slow.shots));
  CHECK(at_slow.whole);
}

}  // namespace strait_test::keep_last
