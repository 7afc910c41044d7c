#pragma once

// Two ends of a channel in one thread: nothing that makes a connection blocks, so both are polled
// in turns.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "strait/channel.hpp"
#include "strait/serializers/raw.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

namespace strait_test {

using namespace std::chrono_literals;
using strait::Errc;

using Bytes = std::vector<std::byte>;
using View = std::span<const std::byte>;
using Clock = std::chrono::steady_clock;

/// How long a test waits for what must come. It never waits for what must not.
inline constexpr auto long_enough = 40s;

/// Bytes that are different at every place and for every seed.
inline void fill_pattern(std::span<std::byte> out, std::uint64_t seed) {
  std::uint64_t word = (seed + 1) * 0x9e37'79b9'7f4a'7c15;
  std::size_t at = 0;
  for (; at + sizeof word <= out.size(); at += sizeof word) {
    std::memcpy(out.data() + at, &word, sizeof word);
    word += 0x6a09'e667'f3bc'c909;
  }
  if (at != out.size()) std::memcpy(out.data() + at, &word, out.size() - at);
}

inline Bytes pattern(std::size_t size, std::uint64_t seed = 0) {
  Bytes bytes(size);
  fill_pattern(bytes, seed);
  return bytes;
}

inline bool same_bytes(View a, View b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// A listener that keeps all it hears.
struct Inbox {
  std::vector<Bytes> messages;
  int connected = 0;
  strait::Peer peer;

  void on_connected(const strait::Peer& who) {
    ++connected;
    peer = who;
  }
  void operator()(View bytes) { messages.emplace_back(bytes.begin(), bytes.end()); }
};

template <class T, strait::ChannelOptions options = strait::ChannelOptions{},
          class Observer = strait::NoObserver>
using RawLink = strait::Channel<T, strait::RawSerializer, options, Observer>;

inline strait::Token new_token() { return strait::Token::generate().value(); }

/// Polls both in turns until `done()`; false when that does not come.
template <class A, class ListenerA, class B, class ListenerB, class Done>
bool pump_until(A& a, ListenerA& on_a, B& b, ListenerB& on_b, Done done) {
  for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
    if (done()) return true;
    static_cast<void>(a.poll(on_a));
    static_cast<void>(b.poll(on_b));
  }
  return done();
}

/// Polls one end until it says an error; none when that does not come.
template <class Link, class Listener>
std::error_code poll_until_error(Link& link, Listener& listener) {
  for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
    if (auto handled = link.poll(listener); !handled) return handled.error();
  }
  return {};
}

template <class Link, class Listener, class Done>
bool poll_until(Link& link, Listener& listener, Done done) {
  for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
    if (done()) return true;
    if (auto handled = link.poll(listener); !handled) return done();
  }
  return done();
}

/// Whether what was sent, and found room, is there when `send` returns: not over a network.
template <class T>
inline constexpr bool arrives_at_once = true;
template <class T>
  requires requires { T::arrives_later; }
inline constexpr bool arrives_at_once<T> = false;

/// Both ends and what they heard.
template <class ServerT, class ClientT = ServerT>
struct Pair {
  ServerT server;
  ClientT client;
  Inbox at_server{};
  Inbox at_client{};

  template <class Done>
  bool pump_until(Done done) {
    return strait_test::pump_until(server, at_server, client, at_client, done);
  }
  bool connect() {
    return pump_until([&] {
      return !server.waiting_connect() && !client.waiting_connect() && at_server.connected == 1 &&
             at_client.connected == 1;
    });
  }
  bool deliver_to_server(std::size_t count) {
    return pump_until([&] { return at_server.messages.size() >= count; });
  }
  bool deliver_to_client(std::size_t count) {
    return pump_until([&] { return at_client.messages.size() >= count; });
  }
};

/// A server and a client that has said Hello, neither of them polled yet.
template <class ServerT, class ClientT = ServerT>
Pair<ServerT, ClientT> fresh_pair() {
  const auto token = new_token();
  const auto name = unique_name("conformance");
  auto server = ServerT::listen(name, token);
  auto client = ClientT::connect(name, token);
  return {std::move(server).value(), std::move(client).value()};
}

template <class ServerT, class ClientT = ServerT>
Pair<ServerT, ClientT> connected_pair() {
  auto pair = fresh_pair<ServerT, ClientT>();
  REQUIRE(pair.connect());
  return pair;
}

/// The bound of a `BoundLink`'s queue.
inline constexpr std::size_t bound = 64 << 10;
template <class T>
using BoundLink = RawLink<T, strait::ChannelOptions{.max_queued_bytes = bound}>;

/// Sends patterns 0, 1, ... until the queue is full; returns how many were taken.
template <class Link>
std::size_t fill(Link& link, std::size_t size = 1000) {
  for (std::size_t count = 0;; ++count) {
    const auto sent = link.send(pattern(size, count));
    if (sent) continue;
    CHECK(sent.error() == Errc::queue_full);
    return count;
  }
}

/// Repeats it on the test's own thread, for as long as it may take, until it is so.
template <class Done>
bool repeat_until(Done done) {
  for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
    if (done()) return true;
    std::this_thread::yield();
  }
  return done();
}

/// Messages 0, 1, ... of sizes that mix the small with the large, the same on both sides.
inline std::size_t mixed_size(std::uint64_t index) {
  const auto dice = static_cast<std::uint32_t>((index + 1) * 0x9e37'79b9'7f4a'7c15 >> 32);
  if (index % 97 == 0) return 30'000 + dice % 40'000;
  if (index % 11 == 0) return dice % 6'000;
  return dice % 200;
}

/// A listener that checks a stream of these and keeps nothing.
class StreamCheck {
 public:
  explicit StreamCheck(std::uint64_t seed = 0) : seed_(seed) {}

  static Bytes message(std::uint64_t index, std::uint64_t seed = 0) {
    return pattern(mixed_size(index), index + seed);
  }
  void operator()(View bytes) {
    expected_.resize(mixed_size(count_));
    fill_pattern(expected_, count_ + seed_);
    if (!same_bytes(bytes, expected_) && !wrong_) wrong_ = count_;
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  /// The first message that was not what it should be.
  std::optional<std::uint64_t> wrong() const { return wrong_; }

 private:
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
  std::optional<std::uint64_t> wrong_;
  Bytes expected_;
};

}  // namespace strait_test
