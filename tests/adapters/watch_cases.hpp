#pragma once

// The cases of the loops whose watches call a listener. The file that includes this has a `Loop`
// with `start(source, listener)`, which returns its watch; `turn()`, one round, which may sleep;
// and `after(duration, task)`, its own timer.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/links.hpp"
#include "strait/acceptor.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/reconnecting.hpp"
#include "support/catch.hpp"

using namespace strait_test;

namespace {

/// Keeps what it hears.
struct Heard {
  std::vector<std::uint64_t> numbers;
  std::vector<std::error_code> ends;
  int connected = 0;
};
struct Listener {
  Heard& heard;
  void operator()(const Number& number) { heard.numbers.push_back(number.value); }
  void on_connected(const strait::Peer&) { ++heard.connected; }
  void on_closed(std::error_code why) { heard.ends.push_back(why); }
};

template <class Condition>
void run_until(Loop& loop, Condition done) {
  const auto end = std::chrono::steady_clock::now() + long_enough;
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    loop.turn();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("two channels talk to each other in one loop", "[watch]", MachLink, SocketLink) {
  Loop loop;
  auto ends = link_pair<TestType>();
  int answered = 0;
  const auto first =
      loop.start(ends.first, [&](const Number& number) { ends.first.send(number).value(); });
  const auto second = loop.start(ends.second, [&](const Number& number) {
    if (number.value == 1000) return;
    ++answered;
    ends.second.send(Number{number.value + 1}).value();
  });
  ends.second.send(Number{0}).value();
  run_until(loop, [&] { return answered == 1000; });
}

TEST_CASE("a reconnecting client and its servers, one after the other, share a loop", "[watch]") {
  using Client =
      strait::Reconnecting<SocketLink, strait::NoRedelivery,
                           strait::ReconnectOptions{.shortest_pause_ms = 1, .longest_pause_ms = 5}>;
  Loop loop;
  const auto name = unique_name("again");
  const auto token = strait::Token::generate().value();
  auto client = Client::connect(name, token).value();
  int ups = 0;
  int downs = 0;
  struct Events {
    int& ups;
    int& downs;
    void operator()(const Number&) {}
    void on_up(SocketLink& link) { link.send(Number{static_cast<std::uint64_t>(++ups)}).value(); }
    void on_down(std::error_code) { ++downs; }
  };
  // Nothing but the loop wakes it for its attempts.
  const auto watch = loop.start(client, Events{ups, downs});
  for (int round = 1; round != 4; ++round) {
    auto server = strait::Acceptor<SocketLink>::listen(name, token).value();
    std::uint64_t heard = 0;
    const auto serving =
        loop.start(server, [&](SocketLink&, const Number& number) { heard = number.value; });
    run_until(loop, [&] { return heard == static_cast<std::uint64_t>(round); });
    server.close();
    run_until(loop, [&] { return downs == round; });
  }
  CHECK(ups == 3);
}

TEST_CASE("several channels and a timer share a loop", "[watch]") {
  Loop loop;
  Heard heard;
  std::vector<std::pair<SocketLink, SocketLink>> links;
  for (int i = 0; i != 5; ++i) links.push_back(link_pair<SocketLink>());
  using Watch = decltype(loop.start(links[0].first, Listener{heard}));
  std::vector<Watch> watches;
  for (auto& [sender, receiver] : links) watches.push_back(loop.start(receiver, Listener{heard}));
  bool rung = false;
  const auto start = std::chrono::steady_clock::now();
  loop.after(5ms, [&] {
    rung = true;
    for (std::uint64_t i = 0; i != 5; ++i) links[i].first.send(Number{i}).value();
  });
  run_until(loop, [&] { return heard.numbers.size() == 5; });
  CHECK(rung);
  CHECK(std::chrono::steady_clock::now() - start >= 5ms);
}

TEST_CASE("what had arrived before the watch began is handled", "[watch]") {
  Loop loop;
  Heard heard;
  auto [sender, receiver] = link_pair<MachLink>();
  for (std::uint64_t i = 0; i != 3; ++i) sender.send(Number{i}).value();
  const auto watch = loop.start(receiver, Listener{heard});
  run_until(loop,
            [&, want = std::vector<std::uint64_t>{0, 1, 2}] { return heard.numbers == want; });
  CHECK(heard.connected == 1);
}

TEST_CASE("a watch that ends and begins anew has lost nothing", "[watch]") {
  Loop loop;
  Heard heard;
  auto ends = link_pair<SocketLink>();
  for (std::uint64_t i = 0; i != 1000; ++i) {
    auto watch = loop.start(ends.second, Listener{heard});
    ends.first.send(Number{i}).value();
    if (i % 3 == 0) loop.turn();
  }
  const auto watch = loop.start(ends.second, Listener{heard});
  ends.first.close();
  run_until(loop, [&] { return !heard.ends.empty(); });
  REQUIRE(heard.numbers.size() == 1000);
  bool in_order = true;
  for (std::uint64_t i = 0; i != 1000; ++i) in_order = in_order && heard.numbers[i] == i;
  CHECK(in_order);
}

TEMPLATE_TEST_CASE("the listener is told once, and last, that the peer has closed", "[watch]",
                   MachLink, SocketLink) {
  Loop loop;
  Heard heard;
  auto ends = link_pair<TestType>();
  const auto watch = loop.start(ends.second, Listener{heard});
  ends.first.send(Number{1}).value();
  ends.first.close();
  run_until(loop, [&] { return !heard.ends.empty(); });
  CHECK(heard.numbers.size() == 1);
  // The loop is woken by it no more.
  bool rung = false;
  loop.after(5ms, [&] { rung = true; });
  int turns = 0;
  run_until(loop, [&] { return ++turns, rung; });
  CHECK(turns < 20);
  REQUIRE(heard.ends.size() == 1);
  CHECK(heard.ends[0] == Errc::peer_closed);
}

TEST_CASE("a handshake that takes too long wakes the loop", "[watch]") {
  Loop loop;
  Heard heard;
  const Place place;
  auto silent = ImpatientLink::listen(place.name, place.token).value();  // and never polled
  auto client = ImpatientLink::connect(place.name, place.token).value();
  const auto watch = loop.start(client, Listener{heard});
  run_until(loop, [&] { return !heard.ends.empty(); });
  CHECK(heard.ends[0] == Errc::handshake_timeout);
}

TEST_CASE("a listener may destroy its watch", "[watch]") {
  Loop loop;
  auto ends = link_pair<SocketLink>();
  using Watch = decltype(loop.start(ends.second, Listener{std::declval<Heard&>()}));
  std::optional<Watch> watch;
  // What it holds is alive until it returns.
  const auto held = std::make_shared<int>(7);
  int seen = 0;
  watch.emplace(loop.start(ends.second, [&, held](const Number&) {
    watch.reset();
    seen = *held;
  }));
  ends.first.send(Number{1}).value();
  run_until(loop, [&] { return seen == 7; });
  ends.first.send(Number{2}).value();
  bool rung = false;
  loop.after(2ms, [&] { rung = true; });
  run_until(loop, [&] { return rung; });
  CHECK(held.use_count() == 1);
}

TEST_CASE("what is queued goes out while the loop runs", "[watch]") {
  Loop loop;
  auto ends = link_pair<BlockLink>();
  const int sent = fill(ends.first);
  int received = 0;
  const auto sender = loop.start(ends.first, [](const Block&) {});
  const auto receiver = loop.start(ends.second, [&](const Block&) { ++received; });
  run_until(loop, [&] { return received == sent; });
  CHECK(ends.first.queued_bytes() == 0);
}

TEST_CASE("an acceptor is watched as a channel is", "[watch]") {
  Loop loop;
  Heard heard;
  const Place place;
  auto acceptor = strait::Acceptor<SocketLink>::listen(place.name, place.token).value();
  const auto serving = loop.start(
      acceptor, [](SocketLink& link, const Number& number) { link.send(number).value(); });
  auto client = SocketLink::connect(place.name, place.token).value();
  const auto asking = loop.start(client, Listener{heard});
  client.send(Number{9}).value();
  run_until(loop, [&] { return !heard.numbers.empty(); });
  CHECK(heard.numbers[0] == 9);
}

TEMPLATE_TEST_CASE("replies to calls, and their times, come in the loop", "[watch][calls]",
                   strait::MachTransport<>, strait::SocketTransport) {
  using CallLink = strait::Channel<TestType, strait::Calls<strait::TrivialSerializer<Number>>>;
  Loop loop;
  auto ends = link_pair<CallLink>();
  strait::Caller caller(std::move(ends.first));
  std::vector<strait::Reply<CallLink>> never;
  const auto answer = [&](const Number& asked, strait::Reply<CallLink> reply) {
    if (asked.value != 1) return never.push_back(std::move(reply));
    reply.send(Number{asked.value + 1}).value();
  };
  const auto asking = loop.start(caller, [](const Number&) { FAIL("no call"); });
  const auto answering = loop.start(ends.second, strait::answering(ends.second, answer));
  std::vector<strait::Result<Number>> results;
  const auto keep = [&](strait::Result<Number> result) { results.push_back(result); };
  caller.template call<Number>(Number{1}, long_enough, keep).value();
  run_until(loop, [&] { return results.size() == 1; });
  CHECK(results[0].value().value == 2);
  caller.template call<Number>(Number{5}, 20ms, keep).value();
  run_until(loop, [&] { return results.size() == 2 && never.size() == 1; });
  CHECK(results[1].error() == Errc::timed_out);
}
