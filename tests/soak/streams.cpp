// Two processes that stream to each other: until one is killed, for as many messages as one likes,
// and with one as large as there may be. The same on every system.
//
//   STRAIT_SOAK_STREAM_KILLS=N  how many kills over each transport
//   STRAIT_SOAK_MESSAGES=N      how many messages there and back over each transport
//   STRAIT_SOAK_SEED=N          where the dice start

#include <cstdint>
#include <cstring>
#include <iostream>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "process/peers.hpp"
#include "soak/soak.hpp"
#include "support/leak_check.hpp"
#include "support/own_process.hpp"

using namespace strait_test;

namespace {

#define STRAIT_TEST_STREAMED Mach, MachBlock, Pipe
using Streamed = Transports<STRAIT_TEST_STREAMED>;

template <class T>
Child spawn_streamer(const char* role, const Rendezvous& rendezvous, const char* how = "") {
  Child child = Child::spawn(role, {word_for<T>(Streamed()), how});
  rendezvous.hand_over(child);
  return child;
}

/// An endless stream out, and the check of the one that comes in.
struct Stream {
  StreamCheck received{};
  std::uint64_t sent = 0;

  /// Sends some, and waits for messages; the error that ends what comes in.
  template <class Link>
  std::error_code step(Link& link, std::chrono::microseconds duration) {
    for (int i = 0; i != 50 && link.send(StreamCheck::message(sent)); ++i) ++sent;
    return link.wait(received, duration).error();
  }
};

/// Streams until it is killed, and says now and then how much is out of its hands.
const ChildRole victim_role("streams.victim", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        const bool listens = arguments.at(1) == "listen";
        auto link = listens
                        ? ProcessLink<T>::listen(rendezvous.name, rendezvous.token)
                        : ProcessLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "a link");
        if (listens) child::write_line("listening");
        Stream stream;
        for (std::uint64_t told = 0;;) {
          const auto end = stream.step(*link, 1ms);
          child::require(!end, end.message());
          child::require(!stream.received.wrong(), "all right");
          if (link->queued_bytes() == 0 && stream.sent >= told + 200) {
            told = stream.sent;
            child::write_line(std::to_string(told));
          }
        }
        return 1;
      },
      Streamed());
});

/// Kills a process in mid-stream, and has the other one, this one, hear of it.
template <class T>
void kill_one(bool server_survives, std::mt19937& random) {
  const Rendezvous rendezvous;
  std::optional<strait::Result<ProcessLink<T>>> link;
  if (server_survives) link = ProcessLink<T>::listen(rendezvous.name, rendezvous.token);
  Child victim =
      spawn_streamer<T>("streams.victim", rendezvous, server_survives ? "connect" : "listen");
  if (!server_survives) {
    REQUIRE(victim.read_line() == "listening");
    link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token);
  }
  REQUIRE(link->has_value());
  Stream stream;
  const std::uint64_t enough = 1 + random() % 2'000;
  for (const auto end = Clock::now() + long_enough; stream.received.count() < enough;) {
    REQUIRE(Clock::now() < end);
    REQUIRE_FALSE(stream.step(**link, 1ms));
  }
  const auto moment = Clock::now() + std::chrono::microseconds(random() % 5'000);
  while (Clock::now() < moment) REQUIRE_FALSE(stream.step(**link, 100us));

  victim.kill(SIGKILL);
  std::error_code why;
  for (const auto end = Clock::now() + long_enough; !why && Clock::now() < end;) {
    why = stream.step(**link, 10ms);
  }
  CHECK(why == Errc::peer_closed);
  CHECK(stream.received.wrong() == std::nullopt);
  std::uint64_t delivered = 0;
  while (const auto line = victim.read_line()) delivered = std::stoull(*line);
  CHECK(stream.received.count() >= delivered);
  CHECK(victim.wait().killed_by(SIGKILL));
}

/// What is sent back.
const ChildRole echo_role("streams.echo", [](const ChildArguments& arguments) {
  return connect_and(
      arguments,
      [](auto& link) {
        const auto ended = link.run([&](View bytes) {
          for (auto sent = link.send(bytes); !sent; sent = link.send(bytes)) {
            child::require(sent.error() == Errc::queue_full, sent.error().message());
            static_cast<void>(link.flush(10ms));
          }
        });
        child::require(ended.error() == Errc::peer_closed, ended.error().message());
        return 0;
      },
      Streamed());
});

constexpr std::size_t large_words = (std::size_t{256} << 20) / sizeof(std::uint64_t);
constexpr std::size_t large_bytes = large_words * sizeof(std::uint64_t);

/// Sends one message, or takes it, and says what memory this has taken at the most.
const ChildRole large_role("streams.large", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        using Link = RawLink<T>;
        const auto rendezvous = Rendezvous::take_over();
        if (arguments.at(1) == "receive") {
          auto link = Link::listen(rendezvous.name, rendezvous.token).value();
          child::write_line("listening");
          bool right = false;
          const auto check = [&](View bytes) {
            right = bytes.size() == large_bytes;
            for (std::uint64_t i = 0, word = 0; right && i != large_words; ++i) {
              std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
              right = word == i;
            }
          };
          child::require(wait_while(link, check, [&] { return !right; }), "the message");
        } else {
          auto link = Link::connect(rendezvous.name, rendezvous.token, long_enough).value();
          std::vector<std::uint64_t> message(large_words);
          std::iota(message.begin(), message.end(), std::uint64_t{0});
          child::require(link.send(std::as_bytes(std::span(message))).has_value(), "sent");
          const auto deaf = [](View) {};
          child::require(wait_until_error(link, deaf) == Errc::peer_closed, "the end");
        }
        child::write_line(std::to_string(peak_bytes()));
        return 0;
      },
      Streamed());
});

}  // namespace

TEMPLATE_TEST_CASE("a process killed in mid-stream loses nothing that was out of its hands",
                   "[soak][streams][slow]", STRAIT_TEST_STREAMED) {
  const auto kills = soak::number("STRAIT_SOAK_STREAM_KILLS", soak::scaled(20));
  const auto seed = soak::seed();
  for (std::uint64_t round = 0; round != kills; ++round) {
    CAPTURE(seed, round);
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    const auto before = ResourceSnapshot::take();
    kill_one<TestType>(round % 2 == 0, random);
    const auto left = after_a_moment([&] { return differences(before, ResourceSnapshot::take()); });
    for (const std::string& what : left) UNSCOPED_INFO(what);
    REQUIRE(left.empty());
  }
  std::cout << kills << " kills from seed " << seed << '\n';
}

TEMPLATE_TEST_CASE("sides that sleep hear of every message", "[soak][streams][slow]",
                   STRAIT_TEST_STREAMED) {
  const auto messages = soak::number("STRAIT_SOAK_MESSAGES", soak::scaled(20'000));
  const Rendezvous rendezvous;
  auto link = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  Child child = spawn_streamer<TestType>("streams.echo", rendezvous);
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t wrong = 0;
  const auto check = [&](View bytes) {
    Bytes expected = pattern(64, received++);
    wrong += !same_bytes(bytes, expected);
  };
  std::mt19937 random(2'026);
  while (received < messages) {
    // Few enough that both sides soon have nothing left to do.
    for (auto burst = 1 + random() % 97; burst != 0 && sent != messages; --burst) {
      if (!link.send(pattern(64, sent))) break;
      ++sent;
    }
    CAPTURE(sent, received);
    const auto heard = link.wait(check, long_enough);
    REQUIRE(heard);
    REQUIRE(*heard != 0);
  }
  CHECK(wrong == 0);
  link.close();
  CHECK(child.wait().success());
}

TEMPLATE_TEST_CASE("a message of 256 MiB takes no more memory than its copies",
                   "[soak][streams][slow]", STRAIT_TEST_STREAMED) {
  const Rendezvous rendezvous;
  Child receiver = spawn_streamer<TestType>("streams.large", rendezvous, "receive");
  REQUIRE(receiver.read_line() == "listening");
  Child sender = spawn_streamer<TestType>("streams.large", rendezvous, "send");
  const auto received = receiver.read_line(long_enough);
  const auto sent = sender.read_line(long_enough);
  REQUIRE(received);
  REQUIRE(sent);
  CHECK(receiver.wait().success());
  CHECK(sender.wait().success());
  // The sender's own, and its queue; the receiver's. Each with what a process has besides.
  constexpr std::size_t besides = std::size_t{64} << 20;
  CAPTURE(*sent, *received);
  if (soak::sanitized) return;
  CHECK(std::stoull(*sent) < 2 * large_bytes + besides);
  CHECK(std::stoull(*received) < large_bytes + besides);
}
