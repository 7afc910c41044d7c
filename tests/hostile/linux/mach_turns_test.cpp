// Peers over Mach that keep a process busy, or waiting, as long as they can.

#include <strait/transports/mach.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "conformance/rights.hpp"
#include "support/hostile_peer.hpp"

using namespace strait_test;

namespace {

using Link = RawLink<strait::MachTransport<>, strait::ChannelOptions{.max_rights = 8}>;

struct Rogue {
  std::string name = unique_name("hostile");
  strait::Token token = new_token();
  Link link = Link::listen(name, token).value();
  RightsInbox inbox;
  RawClient peer{link, inbox, name, token};
};

}  // namespace

TEST_CASE("a ring that is always full of records is read a share at a time", "[hostile][mach]") {
  Rogue rogue;
  const Bytes body = pattern(32 << 10);
  std::size_t written = 0;
  for (; written + body.size() + 16 < rogue.peer.out.ring.capacity(); written += body.size() + 8) {
    rogue.peer.out.ring.write({static_cast<std::uint32_t>(body.size()), 0, fragment, 0}, body);
  }
  REQUIRE(written > 3 * strait::detail::fair_share_bytes);
  REQUIRE(rogue.link.poll(rogue.inbox).value() == 0);
  const auto read = [&] { return rogue.peer.out.ring.control().head.load(); };
  CHECK(read() != 0);
  CHECK(read() <= 2 * strait::detail::fair_share_bytes);
  // The next turns take the rest.
  for (int turn = 0; turn != 8; ++turn) REQUIRE(rogue.link.poll(rogue.inbox).value() == 0);
  CHECK(read() > written - written / 8);
}

TEST_CASE("a record larger than any piece of an honest sender's is malformed", "[hostile][mach]") {
  Rogue rogue;
  const Bytes body = pattern((32 << 10) + 8);
  rogue.peer.out.ring.write({static_cast<std::uint32_t>(body.size()), 0, fragment, 0}, body);
  CHECK(poll_until_error(rogue.link, rogue.inbox) == Errc::malformed);
}

TEST_CASE("a send waits once for a reader that makes room bit by bit, not for each bit",
          "[hostile][mach]") {
  Rogue rogue;
  std::atomic<bool> done = false;
  // Frees one fragment that was sent each time just before the sender gives up.
  std::thread reader([&] {
    std::uint64_t at = 0;
    auto& head = rogue.peer.in.ring.control().head;
    while (!done) {
      std::this_thread::sleep_for(5ms);
      const auto fragment = rogue.peer.in.ring.read();
      if (!fragment) continue;
      at += 8 + fragment->bytes;
      head.store(at);
    }
  });
  const Bytes message(64 << 20);  // 2,048 fragments: ten seconds' worth
  const auto start = Clock::now();
  const auto sent = rogue.link.send(View(message));
  const auto took = Clock::now() - start;
  done = true;
  reader.join();
  CHECK(sent);
  CHECK(took < 3s);
  CHECK(rogue.link.queued_bytes() != 0);
}

TEST_CASE("descriptors whose record does not come are not collected", "[hostile][mach][rights]") {
  Rogue rogue;
  const auto file = strait::os::open("/dev/null", O_RDONLY).value();
  for (int i = 0; i != 40; ++i) {
    if (!rogue.peer.pass(std::vector<int>(8, file.get()))) break;
  }
  CHECK(poll_until_error(rogue.link, rogue.inbox) == Errc::malformed);
  Rogue greedy;
  REQUIRE(greedy.peer.pass(std::vector<int>(9, file.get())));
  CHECK(poll_until_error(greedy.link, greedy.inbox) == Errc::too_many_rights);
}

TEST_CASE("a peer that has the kernel add descriptors of processes leaves none here",
          "[hostile][mach][rights]") {
  Rogue rogue;
  constexpr int pass_pidfd = 76;  // SO_PASSPIDFD, since Linux 6.5
  const int on = 1;
  // The socket's receiving end, of which a peer that had passed it on may have kept a copy.
  // Which number it has is not known here: it is set for all.
  int sockets = 0;
  for (int fd = 3; fd != 200; ++fd) {
    sockets += ::setsockopt(fd, SOL_SOCKET, pass_pidfd, &on, sizeof on) == 0;
  }
  if (sockets == 0) STRAIT_TEST_SKIP("this kernel has no SO_PASSPIDFD");
  const auto count = [] {
    int open = 0;
    for (int fd = 0; fd != 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0;
    return open;
  };
  REQUIRE(
      rogue.link.wait(rogue.inbox, 1ms));  // the first sleep takes a descriptor to be stopped by
  const int before = count();
  for (int i = 0; i != 100; ++i) {
    REQUIRE(rogue.peer.pass({}));
    REQUIRE(rogue.link.wait(rogue.inbox, 1ms));
  }
  // They may be closed by a thread in the background.
  CHECK(repeat_until([&] { return count() == before; }));
}

TEST_CASE("a late doorbell for what was read already does not leave the reader asleep", "[mach]") {
  Rogue rogue;
  auto& asleep = rogue.peer.out.ring.control().reader_asleep;
  const auto wait_for = [](std::chrono::milliseconds limit, auto done) {
    for (const auto end = Clock::now() + limit; Clock::now() < end; std::this_thread::yield()) {
      if (done()) return true;
    }
    return false;
  };
  constexpr auto by_futex = static_cast<std::uint32_t>(strait::linux_mach::Doorbell::futex);
  bool rang_late = false;
  bool asked_again = false;
  // The reader sleeps on the futex for a moment only, which a busy machine may have the writer miss.
  for (int attempts = 0; !rang_late && attempts != 100; ++attempts) {
    std::thread writer([&] {
      rang_late = wait_for(500ms, [&] {
        auto wish = by_futex;
        return asleep.compare_exchange_strong(wish, 0);
      });
      if (rang_late) {
        strait::os::futex_wake(asleep);
        asked_again = wait_for(10s, [&] { return asleep.load() != 0; });
      }
      rogue.peer.out.ring.write({3, 0, whole, 0}, pattern(3));
      if (asleep.exchange(0) == by_futex) strait::os::futex_wake(asleep);
      static_cast<void>(rogue.peer.pass({}));
    });
    CHECK(rogue.link.wait(rogue.inbox, long_enough).value() == 1);
    writer.join();
  }
  CHECK(rang_late);
  CHECK(asked_again);
}
