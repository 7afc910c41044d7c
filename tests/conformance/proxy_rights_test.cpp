// Rights through a proxy: sent from any thread, handed to its listener with their messages.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/task_queue.hpp"

using namespace strait_test;

namespace {

/// What a proxy's listener heard, for the test's thread to look at.
struct HeardRights {
  std::mutex mutex;
  RightsInbox inbox;
  std::error_code closed;

  std::size_t count() {
    const std::lock_guard locked(mutex);
    return inbox.messages.size();
  }
  bool is_closed() {
    const std::lock_guard locked(mutex);
    return static_cast<bool>(closed);
  }
};

struct RightsListener {
  std::shared_ptr<HeardRights> heard;

  void operator()(View bytes, Rights rights) {
    const std::lock_guard locked(heard->mutex);
    heard->inbox(bytes, std::move(rights));
  }
  void on_closed(std::error_code why) {
    const std::lock_guard locked(heard->mutex);
    heard->closed = why;
  }
};

template <class T>
using Link = RawLink<T, strait::ChannelOptions{.max_queued_bytes = 256 << 10}>;

/// A proxy and at the other end a plain channel, which the test's thread polls.
template <class T, strait::ProxyOptions options = strait::ProxyOptions{}>
struct Proxied {
  using Proxy = strait::ChannelProxy<Link<T>, options>;

  template <class L, class Executor = strait::OnOwnThread>
  explicit Proxied(L listener, Executor executor = {}) {
    auto ends = Ends<Link<T>>::make();
    peer.emplace(std::move(ends.near));
    proxy.emplace(
        Proxy::start(std::move(ends.far), std::move(listener), std::move(executor)).value());
  }

  std::optional<Link<T>> peer{};
  RightsInbox at_peer{};
  std::optional<Proxy> proxy{};
};

/// Rights that are made outside of the test's thread, where Catch's checks are not to be used.
bool add_numbered(Rights& rights, std::uint64_t first, std::size_t count) {
  for (std::size_t i = 0; i != count; ++i) {
    auto memory = strait::SharedMemory::create(sizeof first);
    if (!memory) return false;
    *memory->template map<std::uint64_t>().value() = first + i;
    if (!rights.add(std::move(*memory))) return false;
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("a proxy's listener gets each message's rights, whole and in order",
                   "[proxy][rights]", STRAIT_TEST_RIGHTS) {
  const auto heard = std::make_shared<HeardRights>();
  Proxied<TestType> ends(RightsListener{heard});
  constexpr std::size_t count = 200;
  std::size_t sent = 0;
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    // Not all at once: a user may have only so many descriptors.
    while (sent != count && sent < heard->count() + 20) {
      REQUIRE(ends.peer->send(StreamCheck::message(sent), numbered_rights(10 * sent, sent % 4)));
      ++sent;
    }
    return heard->count() == count;
  }));
  for (std::size_t i = 0; i != count; ++i) {
    CAPTURE(i);
    CHECK(same_bytes(heard->inbox.messages[i], StreamCheck::message(i)));
    CHECK(take_numbers(heard->inbox.rights[i], 10 * i, i % 4));
  }
}

TEMPLATE_TEST_CASE("many threads send rights through one proxy", "[proxy][rights]",
                   STRAIT_TEST_RIGHTS) {
  Proxied<TestType> ends(RightsListener{std::make_shared<HeardRights>()});
  constexpr std::size_t count = 60;
  constexpr std::size_t threads = 3;
  std::atomic<int> failed = 0;
  std::vector<std::thread> senders;
  for (std::uint64_t thread = 0; thread != threads; ++thread) {
    senders.emplace_back([&, thread] {
      for (std::size_t i = 0; i != count; ++i) {
        const std::uint64_t number = 1000 * thread + 10 * i;
        Rights rights;
        if (!add_numbered(rights, number, 1 + i % 3)) ++failed;
        Bytes bytes(sizeof number);
        std::memcpy(bytes.data(), &number, sizeof number);
        if (!ends.proxy->send(bytes, std::move(rights)) || !rights.empty()) ++failed;
      }
    });
  }
  const bool all = poll_until(*ends.peer, ends.at_peer,
                              [&] { return ends.at_peer.messages.size() == threads * count; });
  for (auto& sender : senders) sender.join();
  REQUIRE(all);
  CHECK(failed == 0);
  std::vector<std::size_t> next(threads);
  for (std::size_t i = 0; i != threads * count; ++i) {
    std::uint64_t number;
    std::memcpy(&number, ends.at_peer.messages[i].data(), sizeof number);
    const auto thread = static_cast<std::size_t>(number / 1000);
    REQUIRE(thread < threads);
    CHECK(number % 1000 == 10 * next[thread]);
    CHECK(take_numbers(ends.at_peer.rights[i], number, 1 + next[thread] % 3));
    ++next[thread];
  }
}

TEMPLATE_TEST_CASE("rights go by the loop that the user names", "[proxy][rights]",
                   STRAIT_TEST_RIGHTS) {
  const auto queue = strait::TaskQueue::create().value();
  const auto heard = std::make_shared<HeardRights>();
  Proxied<TestType> ends(RightsListener{heard}, queue->executor());
  REQUIRE(ends.peer->send(pattern(5), numbered_rights(7, 3)));
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
    queue->run();
    return heard->count() == 1;
  }));
  CHECK(take_numbers(heard->inbox.rights[0], 7, 3));
}

TEMPLATE_TEST_CASE("rights that a proxy did not send are still the caller's", "[proxy][rights]",
                   STRAIT_TEST_RIGHTS) {
  Proxied<TestType> ends(RightsListener{std::make_shared<HeardRights>()});
  auto rights = numbered_rights(3, 2);
  SECTION("after close") {
    ends.proxy->close();
    CHECK(ends.proxy->send(pattern(1), std::move(rights)).error() == Errc::closed);
  }
  SECTION("too many") {
    for (int i = 0; i != 100; ++i) REQUIRE(rights.add(numbered(0)));
    CHECK(ends.proxy->send(pattern(1), std::move(rights)).error() == Errc::too_many_rights);
    CHECK(rights.size() == 102);
    return;
  }
  SECTION("moved away") {
    const auto moved = std::move(*ends.proxy);
    CHECK(ends.proxy->send(pattern(1), std::move(rights)).error() == Errc::closed);
  }
  CHECK(take_numbers(rights, 3, 2));
}

TEMPLATE_TEST_CASE("rights that wait for a listener are few, and closed when nobody takes them",
                   "[proxy][rights]", STRAIT_TEST_RIGHTS) {
  // Nothing runs in this loop until the end.
  const auto queue = strait::TaskQueue::create().value();
  const auto heard = std::make_shared<HeardRights>();
  using Few = Proxied<TestType, strait::ProxyOptions{.max_inbox_rights = 8}>;
  Few ends(RightsListener{heard}, queue->executor());
  std::size_t sent = 0;
  const auto send = [&](std::size_t count) {
    for (; sent != count; ++sent) {
      REQUIRE(ends.peer->send(pattern(1, sent), numbered_rights(10 * sent, 3)));
    }
  };
  send(50);
  SECTION("and then taken") {
    REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] {
      queue->run();
      return heard->count() == 50;
    }));
    for (std::size_t i = 0; i != 50; ++i) CHECK(take_numbers(heard->inbox.rights[i], 10 * i, 3));
  }
  SECTION("with the proxy") {}
  SECTION("with the peer gone") {
    // No lane has all of them under way; what is queued goes with the peer.
    const bool all_under_way = ends.peer->queued_bytes() == 0;
    ends.peer->close();
    REQUIRE(repeat_until([&] {
      queue->run();
      return heard->is_closed();
    }));
    CHECK(heard->count() >= (all_under_way ? 50 : 40));
  }
}

TEMPLATE_TEST_CASE("a listener that takes no rights hears the messages all the same",
                   "[proxy][rights]", STRAIT_TEST_RIGHTS) {
  const auto count = std::make_shared<std::atomic<int>>(0);
  Proxied<TestType> ends([count](View) { ++*count; });
  REQUIRE(ends.peer->send(pattern(1), numbered_rights(1, 3)));
  REQUIRE(ends.peer->send(pattern(2)));
  CHECK(poll_until(*ends.peer, ends.at_peer, [&] { return *count == 2; }));
}

TEMPLATE_TEST_CASE("a channel's end goes through a proxy, with what is unread in it",
                   "[proxy][rights][ends]", STRAIT_TEST_RIGHTS) {
  if constexpr (!carries_ends<TestType>) return;
  using Passed = RawLink<Passable<TestType>>;
  const auto heard = std::make_shared<HeardRights>();
  Proxied<TestType> ends(RightsListener{heard});
  auto inner = Ends<Passed>::make();
  REQUIRE(inner.near.send(pattern(4)));
  REQUIRE(ends.peer->send(pattern(1), rights_of(std::move(inner.far))));
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] { return heard->count() == 1; }));
  // And back again.
  REQUIRE(ends.proxy->send(pattern(2), std::move(heard->inbox.rights[0])));
  REQUIRE(poll_until(*ends.peer, ends.at_peer, [&] { return ends.at_peer.messages.size() == 1; }));
  auto far = ends.at_peer.rights[0].template take<Passed>().value();
  CHECK(poll_until(far, inner.at_far, [&] { return inner.at_far.messages.size() == 1; }));
}
