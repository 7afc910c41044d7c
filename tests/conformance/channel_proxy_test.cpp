// A channel that many threads use: nothing is lost, mixed up, called in the wrong place, or stuck.

#include "strait/channel_proxy.hpp"

#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "conformance/watched.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/task_queue.hpp"
#include "support/descriptor_limit.hpp"
#include "support/leak_check.hpp"
#include "support/readable.hpp"

using namespace strait_test;

namespace {

/// What a listener heard, for the test's thread to look at. (Catch's checks are for one thread.)
struct Heard : Watched {
  std::vector<Bytes> messages;
  std::vector<std::thread::id> threads;
  std::vector<std::error_code> closed;
  int connected = 0;
  bool after_end = false;

  std::size_t count() {
    const auto access = this->access();
    return messages.size();
  }
  bool is_closed() {
    const auto access = this->access();
    return !closed.empty();
  }
  bool wait_connected() {
    return wait_until([&] { return connected == 1; });
  }
  bool wait_closed() {
    return wait_until([&] { return !closed.empty(); });
  }
};

struct Listener {
  std::shared_ptr<Heard> heard;

  void on_connected(const strait::Peer&) {
    const auto access = heard->access();
    ++heard->connected;
    heard->threads.push_back(std::this_thread::get_id());
  }
  void operator()(View bytes) {
    const auto access = heard->access();
    heard->messages.emplace_back(bytes.begin(), bytes.end());
    heard->threads.push_back(std::this_thread::get_id());
    heard->after_end = heard->after_end || !heard->closed.empty() || heard->connected != 1;
  }
  void on_closed(std::error_code why) {
    const auto access = heard->access();
    heard->closed.push_back(why);
    heard->threads.push_back(std::this_thread::get_id());
  }
};

/// Keeps what it is given.
struct Keeper : Watched {
  std::vector<strait::OutOfLineBytes> kept;
};
struct KeepingListener {
  std::shared_ptr<Keeper> keeper;

  void operator()(strait::OutOfLineBytes buffer) {
    const auto access = keeper->access();
    keeper->kept.push_back(std::move(buffer));
  }
};

template <class T>
using Link = RawLink<T, strait::ChannelOptions{.max_queued_bytes = 256 << 10}>;
/// On a busy machine it may take its thread more than a second to send what it had taken.
template <class T>
using Proxy = strait::ChannelProxy<Link<T>, strait::ProxyOptions{.linger_ms = 60'000}>;

/// A proxy and at the other end a plain channel, which the test's thread polls.
template <class T>
struct ProxyEnds {
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  Inbox at_peer{};
  std::optional<Link<T>> peer{};
  std::optional<Proxy<T>> proxy{};

  template <class L, class Executor = strait::OnOwnThread>
  void start(L listener, Executor executor = {}) {
    auto pair = fresh_pair<Link<T>>();
    peer.emplace(std::move(pair.client));
    proxy.emplace(
        Proxy<T>::start(std::move(pair.server), std::move(listener), std::move(executor)).value());
    REQUIRE(poll_until(*peer, at_peer, [&] { return at_peer.connected == 1; }));
  }
  void start() { start(Listener{heard}); }
  std::error_code poll_peer_to_the_end() { return poll_until_error(*peer, at_peer); }
};

/// A message that says who sent it and which one it is.
Bytes numbered(std::size_t thread, std::size_t index) {
  Bytes bytes(8 + index % 300);
  const std::uint32_t words[] = {static_cast<std::uint32_t>(thread),
                                 static_cast<std::uint32_t>(index)};
  std::memcpy(bytes.data(), words, sizeof words);
  return bytes;
}

/// How many messages each of the threads has got through; nothing if any was out of order.
std::optional<std::vector<std::size_t>> in_order(const std::vector<Bytes>& messages,
                                                 std::size_t threads) {
  std::vector<std::size_t> next(threads);
  for (const Bytes& message : messages) {
    std::uint32_t words[2];
    std::memcpy(words, message.data(), sizeof words);
    if (words[0] >= threads || words[1] != next[words[0]]) return std::nullopt;
    ++next[words[0]];
  }
  return next;
}

}  // namespace

TEMPLATE_TEST_CASE("a proxy hears and says all, whole and in order", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  constexpr std::size_t count = 500;
  std::size_t sent = 0;
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    while (sent != count && ends.peer->send(StreamCheck::message(sent))) ++sent;
    return ends.heard->count() == count;
  }));
  for (std::size_t i = 0; i != count; ++i) {
    CHECK(same_bytes(ends.heard->messages[i], StreamCheck::message(i)));
  }
  CHECK(ends.heard->connected == 1);
  CHECK_FALSE(ends.heard->after_end);
  StreamCheck answers;
  std::size_t answered = 0;
  REQUIRE(poll_until(*ends.peer, answers, [&] {
    while (answered != count && ends.proxy->send(StreamCheck::message(answered))) ++answered;
    return answers.count() == count;
  }));
  CHECK_FALSE(answers.wrong());
}

TEMPLATE_TEST_CASE("a proxy's listener may ask for buffers, and keep them", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  const auto keeper = std::make_shared<Keeper>();
  ends.start(KeepingListener{keeper});
  for (std::size_t i = 0; i != 3; ++i) REQUIRE(ends.peer->send(pattern(20'000, i)));
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    const auto access = keeper->access();
    return keeper->kept.size() == 3;
  }));
  ends.proxy->close();
  for (std::size_t i = 0; i != 3; ++i) {
    CHECK(same_bytes(keeper->kept[i].bytes(), pattern(20'000, i)));
  }
}

TEMPLATE_TEST_CASE("many threads send at once: each one's messages come in order, none is lost",
                   "[proxy]", STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  constexpr std::size_t threads = 4;
  constexpr std::size_t count = 1500;
  std::atomic<bool> failed = false;
  std::vector<std::thread> senders;
  for (std::size_t t = 0; t != threads; ++t) {
    senders.emplace_back([&, t] {
      for (std::size_t i = 0; i != count && !failed;) {
        const auto sent = ends.proxy->send(numbered(t, i));
        if (sent) {
          ++i;
        } else if (sent.error() == Errc::queue_full) {
          std::this_thread::yield();
        } else {
          failed = true;
        }
      }
    });
  }
  const bool all = poll_until(*ends.peer, ends.at_peer,
                              [&] { return ends.at_peer.messages.size() == threads * count; });
  failed = failed || !all;
  for (auto& sender : senders) sender.join();
  CHECK_FALSE(failed);
  CHECK(in_order(ends.at_peer.messages, threads) == std::vector<std::size_t>(threads, count));
}

TEMPLATE_TEST_CASE("the listener is called on the loop that the user names, to the end", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  auto queue = strait::TaskQueue::create().value();
  ProxyEnds<TestType> ends;
  ends.start(Listener{ends.heard}, queue->executor());
  for (int i = 0; i != 10; ++i) REQUIRE(ends.peer->send(pattern(10)));
  const auto run_until = [&](auto done) {
    for (const auto end = Clock::now() + long_enough; Clock::now() < end && !done();) {
      if (readable_within(queue->native_handle(), 10ms)) CHECK(queue->run() > 0);
    }
    return done();
  };
  REQUIRE(run_until([&] { return ends.heard->count() == 10; }));
  CHECK(ends.heard->connected == 1);
  ends.peer->close();
  REQUIRE(run_until([&] { return ends.heard->is_closed(); }));
  CHECK(ends.heard->closed == std::vector{make_error_code(Errc::peer_closed)});
  for (const auto& thread : ends.heard->threads) CHECK(thread == std::this_thread::get_id());
  CHECK(ends.proxy->send(pattern(1)).error() == Errc::peer_closed);
  CHECK(ends.proxy->flush(long_enough).error() == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("a peer that leaves is told of last, after all that it said", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  for (int i = 0; i != 100; ++i) REQUIRE(ends.peer->send(pattern(1000)));
  REQUIRE(ends.peer->flush(long_enough));
  ends.peer->close();
  REQUIRE(ends.heard->wait_closed());
  CHECK(ends.heard->count() == 100);
  CHECK(ends.heard->closed == std::vector{make_error_code(Errc::peer_closed)});
  CHECK_FALSE(ends.heard->after_end);
}

TEMPLATE_TEST_CASE("what was sent before close arrives, and nothing can be sent afterwards",
                   "[proxy]", STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  // More than any transport takes at once, so that a part is queued.
  std::size_t sent = 0;
  while (ends.proxy->send(pattern(50'000, sent))) ++sent;
  CHECK(sent > 2);
  SECTION("by close") {
    ends.proxy->close();
    CHECK(ends.proxy->send(pattern(1)).error() == Errc::closed);
    CHECK(ends.poll_peer_to_the_end() == Errc::peer_closed);
    REQUIRE(ends.heard->wait_closed());
    CHECK(ends.heard->closed == std::vector{make_error_code(Errc::closed)});
  }
  SECTION("by the destructor") {
    std::thread destroyer([&] { ends.proxy.reset(); });
    CHECK(ends.poll_peer_to_the_end() == Errc::peer_closed);
    destroyer.join();
  }
  REQUIRE(ends.at_peer.messages.size() == sent);
  for (std::size_t i = 0; i != sent; ++i) {
    CHECK(same_bytes(ends.at_peer.messages[i], pattern(50'000, i)));
  }
}

TEMPLATE_TEST_CASE("a proxy closes while others send: who was told success is not lost", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  constexpr std::size_t threads = 3;
  std::atomic<std::size_t> sent[threads] = {};
  std::atomic<bool> wrong = false;
  std::vector<std::thread> senders;
  for (std::size_t t = 0; t != threads; ++t) {
    senders.emplace_back([&, t] {
      for (;;) {
        const auto result = ends.proxy->send(numbered(t, sent[t]));
        if (result) {
          ++sent[t];
        } else if (result.error() == Errc::closed) {
          return;
        } else if (result.error() != Errc::queue_full) {
          wrong = true;
          return;
        }
      }
    });
  }
  poll_until(*ends.peer, ends.at_peer, [&] { return ends.at_peer.messages.size() > 300; });
  std::thread closer([&] { ends.proxy->close(); });
  CHECK(ends.poll_peer_to_the_end() == Errc::peer_closed);
  closer.join();
  for (auto& sender : senders) sender.join();
  CHECK_FALSE(wrong);
  CHECK(in_order(ends.at_peer.messages, threads) ==
        std::vector<std::size_t>{sent[0], sent[1], sent[2]});
}

TEMPLATE_TEST_CASE("a listener may answer, close and destroy its own proxy", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto before = ResourceSnapshot::take();
  auto queue = strait::TaskQueue::create().value();
  const bool own_thread = GENERATE(true, false);
  const bool destroys = GENERATE(true, false);
  CAPTURE(own_thread, destroys);
  ProxyEnds<TestType> ends;
  std::atomic<int> calls = 0;
  std::atomic<bool> ready = false;
  std::atomic<bool> left = false;
  const auto listener = [&](View bytes) {
    while (!ready) std::this_thread::yield();
    ++calls;
    static_cast<void>(ends.proxy->send(bytes));
    if (destroys) {
      ends.proxy.reset();
    } else {
      ends.proxy->close();
    }
    left = true;
  };
  if (own_thread) {
    ends.start(listener);
  } else {
    ends.start(listener, queue->executor());
  }
  ready = true;
  REQUIRE(ends.peer->send(pattern(30)));
  REQUIRE(ends.peer->flush(long_enough));
  std::error_code told;
  REQUIRE(repeat_until([&] {
    queue->run();
    told = ends.peer->poll(ends.at_peer).error();
    return told && left;
  }));
  CHECK(told == Errc::peer_closed);
  CHECK(calls == 1);
  CHECK(ends.at_peer.messages.size() == 1);
  ends.proxy.reset();
  ends.peer.reset();
  queue->run();
  queue.reset();
  // Destroyed on its own thread, that ends by itself a moment later.
  CHECK(repeat_until([&] { return differences(before, ResourceSnapshot::take()).empty(); }));
}

TEMPLATE_TEST_CASE("a listener that nobody calls holds up the peer, and not what is sent to it",
                   "[proxy]", STRAIT_TEST_TRANSPORTS) {
  auto queue = strait::TaskQueue::create().value();
  ProxyEnds<TestType> ends;
  ends.start(Listener{ends.heard}, queue->executor());
  // Until the peer has no room: the inbox, what the transport holds, the peer's own queue.
  std::size_t sent = 0;
  for (int idle = 0; idle != 100; ++idle) {
    for (; ends.peer->send(pattern(10'000, sent)); ++sent) idle = 0;
    REQUIRE(ends.peer->wait(ends.at_peer, 1ms));
  }
  CHECK(sent * 10'000 < (8u << 20));
  // The other way is free, also for more than the transport holds.
  std::size_t answered = 0;
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    while (answered != 300 && ends.proxy->send(pattern(10'000, answered))) ++answered;
    return ends.at_peer.messages.size() == 300;
  }));
  CHECK(ends.heard->count() == 0);
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    queue->run();
    return ends.heard->count() == sent;
  }));
  for (std::size_t i = 0; i != sent; ++i) {
    CHECK(same_bytes(ends.heard->messages[i], pattern(10'000, i)));
  }
}

TEMPLATE_TEST_CASE("a peer that does not read is queue_full, and timed_out when flushed", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  ProxyEnds<TestType> ends;
  ends.start();
  // Again and again, because a bridge at the other end reads ahead when it gets round to it.
  std::error_code flushed;
  do {
    std::error_code sent;
    while (!(sent = ends.proxy->send(pattern(60'000)).error())) {
    }
    CHECK(sent == Errc::queue_full);
    flushed = ends.proxy->flush(5ms).error();
  } while (!flushed);
  CHECK(flushed == Errc::timed_out);
  CHECK(ends.proxy->queued_bytes() <= (512u << 10));
  std::thread flusher([&] { static_cast<void>(ends.proxy->flush(long_enough)); });
  CHECK(poll_until(*ends.peer, ends.at_peer, [&] { return ends.proxy->queued_bytes() == 0; }));
  flusher.join();
  CHECK(ends.proxy->flush(0ms));
}

TEMPLATE_TEST_CASE("a proxy ends at once while nobody has come, and in time for who does not read",
                   "[proxy]", STRAIT_TEST_TRANSPORTS) {
  using Hasty = strait::ChannelProxy<Link<TestType>, strait::ProxyOptions{.linger_ms = 50}>;
  const auto start = Clock::now();
  SECTION("nobody has come") {
    auto link = Link<TestType>::listen(unique_name(), new_token()).value();
    auto proxy = Proxy<TestType>::start(std::move(link), [](View) {}).value();
    proxy.close();
  }
  SECTION("nobody reads") {
    auto pair = connected_pair<Link<TestType>>();
    auto proxy = Hasty::start(std::move(pair.server), [](View) {}).value();
    while (proxy.send(pattern(60'000))) {
    }
    proxy.close();
  }
  CHECK(Clock::now() - start < long_enough);
}

TEMPLATE_TEST_CASE("a server that never answers is on_closed with handshake_timeout", "[proxy]",
                   STRAIT_TEST_TRANSPORTS) {
  using HastyLink = RawLink<TestType, strait::ChannelOptions{.handshake_timeout_ms = 30}>;
  const auto token = new_token();
  const auto name = unique_name();
  const auto server = HastyLink::listen(name, token).value();
  const auto heard = std::make_shared<Heard>();
  auto link = HastyLink::connect(name, token).value();
  auto proxy = strait::ChannelProxy<HastyLink>::start(std::move(link), Listener{heard}).value();
  REQUIRE(heard->wait_closed());
  CHECK(heard->closed == std::vector{make_error_code(Errc::handshake_timeout)});
  CHECK(heard->connected == 0);
}

TEST_CASE("a task that is late, lost, or called twice does no harm", "[proxy]") {
  using Task = Proxy<Mach>::Task;
  ProxyEnds<Mach> ends;
  Watched watched;
  std::vector<Task> tasks;
  ends.start(Listener{ends.heard}, [&](Task task) {
    const auto access = watched.access();
    tasks.push_back(std::move(task));
  });
  const auto take = [&] {
    REQUIRE(watched.wait_until([&] { return !tasks.empty(); }));
    const auto access = watched.access();
    const Task task = tasks.back();
    tasks.pop_back();
    return task;
  };
  const Task first = take();
  first();
  first();
  CHECK(ends.heard->connected == 1);
  REQUIRE(ends.peer->send(pattern(4)));
  const Task second = take();
  first();  // as good as the second
  CHECK(ends.heard->count() == 1);
  second();
  CHECK(ends.heard->count() == 1);
  REQUIRE(ends.peer->send(pattern(4)));
  const Task third = take();
  ends.proxy.reset();
  third();
  first();
  CHECK(ends.heard->count() == 1);
  CHECK_FALSE(ends.heard->is_closed());
}

TEST_CASE("a listener that throws loses nothing but what it threw at", "[proxy]") {
  auto queue = strait::TaskQueue::create().value();
  ProxyEnds<Mach> ends;
  std::vector<std::size_t> seen;
  ends.start(
      [&](View bytes) {
        seen.push_back(bytes.size());
        if (bytes.size() == 3) throw std::runtime_error("three");
      },
      queue->executor());
  for (std::size_t i = 0; i != 6; ++i) REQUIRE(ends.peer->send(pattern(i)));
  int thrown = 0;
  REQUIRE(repeat_until([&] {
    try {
      queue->run();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
    return seen.size() == 6;
  }));
  CHECK(thrown == 1);
  CHECK(seen == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("a message that the listener has no callable for ends the proxy's channel", "[proxy]") {
  struct Ping {
    std::uint32_t id;
  };
  struct Pong {
    std::uint32_t id;
  };
  struct Unexpected {
    std::shared_ptr<std::string> type = std::make_shared<std::string>();
    void on_unexpected(std::string_view name, std::uint16_t, std::size_t) { *type += name; }
  };
  using Types = strait::TrivialSerializer<Ping, Pong>;
  using Typed = strait::Channel<Mach, Types, strait::ChannelOptions{}, Unexpected>;
  struct OnPing {
    std::shared_ptr<Heard> heard;
    std::atomic<int>& pings;
    void operator()(const Ping&) { ++pings; }
    void on_closed(std::error_code why) {
      const auto access = heard->access();
      heard->closed.push_back(why);
    }
  };
  const auto heard = std::make_shared<Heard>();
  std::atomic<int> pings = 0;
  const auto token = new_token();
  const auto name = unique_name();
  const Unexpected at_server;
  auto server = Typed::listen(name, token, at_server).value();
  auto client = Typed::connect(name, token).value();
  auto proxy = strait::ChannelProxy<Typed>::start(std::move(server), OnPing{heard, pings}).value();
  REQUIRE(client.send(Ping{1}));
  REQUIRE(client.send(Pong{2}));
  REQUIRE(client.send(Ping{3}));
  const auto ignore = [](const Ping&) {};
  CHECK(poll_until_error(client, ignore) == Errc::peer_closed);
  REQUIRE(heard->wait_closed());
  CHECK(heard->closed == std::vector{make_error_code(Errc::unexpected_message)});
  CHECK(*at_server.type == "Pong");
  CHECK(pings == 1);
  CHECK(proxy.send(Ping{1}).error() == Errc::unexpected_message);
}

TEST_CASE("a proxy that moves goes on, and what it leaves is closed", "[proxy]") {
  ProxyEnds<Mach> ends;
  ends.start();
  Proxy<Mach> moved = std::move(*ends.proxy);
  CHECK(ends.proxy->send(pattern(1)).error() == Errc::closed);
  CHECK(ends.proxy->flush(0ms).error() == Errc::closed);
  CHECK(ends.proxy->queued_bytes() == 0);
  ends.proxy->close();
  REQUIRE(moved.send(pattern(5)));
  CHECK(poll_until(*ends.peer, ends.at_peer, [&] { return ends.at_peer.messages.size() == 1; }));
  auto other = connected_pair<Link<Mach>>();
  moved = Proxy<Mach>::start(std::move(other.server), [](View) {}).value();
  CHECK(ends.poll_peer_to_the_end() == Errc::peer_closed);
  CHECK(moved.send(pattern(5)));
}

#if STRAIT_TEST_LIMITS_DESCRIPTORS
TEST_CASE("without a descriptor a proxy does not start", "[proxy][no-asan]") {
  for (int spare = 0; spare != 4; ++spare) {
    auto pair = connected_pair<Link<Mach>>();
    std::error_code told;
    {
      const NoMoreDescriptors exhausted(spare);
      told = Proxy<Mach>::start(std::move(pair.server), [](View) {}).error();
    }
    CAPTURE(spare);
    CHECK(told == std::errc::too_many_files_open);
  }
}
#endif

TEMPLATE_TEST_CASE("two proxies talk, close and vanish at any moment", "[proxy][slow]", Mach, Pipe,
                   Loopback) {
  std::mt19937 random(20'261'122);
  for (int round = 0; round != 60; ++round) {
    CAPTURE(round);
    auto pair = fresh_pair<Link<TestType>>();
    const auto at_server = std::make_shared<Heard>();
    const auto at_client = std::make_shared<Heard>();
    std::optional<Proxy<TestType>> server(
        Proxy<TestType>::start(std::move(pair.server), Listener{at_server}).value());
    std::optional<Proxy<TestType>> client(
        Proxy<TestType>::start(std::move(pair.client), Listener{at_client}).value());
    // Else a server would go on waiting for a client that has left before it was there.
    REQUIRE(at_server->wait_connected());
    REQUIRE(at_client->wait_connected());
    std::atomic<std::size_t> sent = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t != 2; ++t) {
      threads.emplace_back([&, to_client = t == 0] {
        auto& proxy = to_client ? server : client;
        for (;;) {
          const auto result = proxy->send(pattern(100 + sent % 5000));
          if (result) {
            ++sent;
          } else if (result.error() != Errc::queue_full) {
            return;
          }
        }
      });
    }
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 5000);
    while (Clock::now() < moment) std::this_thread::yield();
    // One of them closes; the other sees it, and their senders do.
    auto& first = random() % 2 == 0 ? server : client;
    first->close();
    for (auto& thread : threads) thread.join();
    const auto& heard = &first == &server ? at_server : at_client;
    REQUIRE(heard->wait_closed());
    if (random() % 2 == 0) {
      server.reset();
      client.reset();
    } else {
      client.reset();
      server.reset();
    }
    CHECK(heard->closed == std::vector{make_error_code(Errc::closed)});
    CHECK_FALSE(at_server->after_end);
    CHECK_FALSE(at_client->after_end);
  }
}
