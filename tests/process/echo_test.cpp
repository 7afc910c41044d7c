// Two processes in good health, and one that is made to wait.

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/peers.hpp"

using namespace strait_test;

namespace {

const ChildRole peer_echo_role("peer.echo", [](const ChildArguments& arguments) {
  return connect_and(arguments, [](auto& link) {
    child::write_line("connected");
    const auto ended = link.run([&](View bytes) {
      for (auto sent = link.send(bytes); !sent; sent = link.send(bytes)) {
        if (sent.error() == Errc::peer_closed) return;
        child::require(sent.error() == Errc::queue_full, "room or none, but nothing else");
        static_cast<void>(link.flush(10ms));
      }
    });
    child::require(ended.error() == Errc::peer_closed, "the end is the parent's");
    return 0;
  });
});

/// Sends messages 0, 1, ... and takes their echoes until `count` have come back.
template <class Link>
void exchange(Link& link, StreamCheck& echoed, std::uint64_t& next, std::uint64_t count) {
  REQUIRE(wait_while(link, echoed, [&] {
    // A child that echoes has to be read, or both sides end up full.
    for (int i = 0; i != 50 && next < count; ++i, ++next) {
      if (!link.send(StreamCheck::message(next))) break;
    }
    return echoed.count() < count;
  }));
  CHECK(echoed.wrong() == std::nullopt);
}

template <class T>
struct EchoPair {
  Rendezvous rendezvous{};
  ProcessLink<T> link = ProcessLink<T>::listen(rendezvous.name, rendezvous.token).value();
  Child child = spawn_peer<T>("peer.echo", rendezvous);
  StreamCheck echoed{};
  std::uint64_t next = 0;

  void part() {
    link.close();
    CHECK(child.wait().success());
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a child with the token from its input echoes 10,000 messages", "[process]",
                   STRAIT_TEST_CROSSING) {
  EchoPair<TestType> pair;
  exchange(pair.link, pair.echoed, pair.next, 10'000);
  const auto who = pair.link.peer().credentials;
  CHECK(who.uid == ::geteuid());
  if (who.pid != 0) CHECK(who.pid == pair.child.pid());
  pair.part();
}

TEMPLATE_TEST_CASE("a message of 40 MiB goes to another process and back", "[process]",
                   STRAIT_TEST_CROSSING) {
  EchoPair<TestType> pair;
  const Bytes message = pattern(40 << 20);
  bool same = false;
  const auto compare = [&](View bytes) { same = same_bytes(bytes, message); };
  REQUIRE(pair.link.send(message));
  CHECK(wait_while(pair.link, compare, [&] { return !same; }));
  pair.part();
}

TEMPLATE_TEST_CASE("stopping and continuing the peer in mid-stream loses nothing", "[process]",
                   STRAIT_TEST_CROSSING) {
  EchoPair<TestType> pair;
  exchange(pair.link, pair.echoed, pair.next, 100);
  for (std::uint64_t round = 1; round <= 10; ++round) {
    pair.child.kill(SIGSTOP);
    for (int i = 0; i != 30; ++i, ++pair.next) {
      if (!pair.link.send(StreamCheck::message(pair.next))) break;
    }
    CHECK(pair.link.wait(pair.echoed, 1ms));
    pair.child.kill(SIGCONT);
    exchange(pair.link, pair.echoed, pair.next, pair.next + 50);
  }
  pair.part();
}

TEMPLATE_TEST_CASE("sending to a stopped peer never blocks: it queues up to the bound", "[process]",
                   STRAIT_TEST_CROSSING) {
  EchoPair<TestType> pair;
  exchange(pair.link, pair.echoed, pair.next, 1);
  pair.child.kill(SIGSTOP);
  // One of its threads may run on until another has got the signal.
  siginfo_t stopped{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pair.child.pid()), &stopped, WSTOPPED | WNOWAIT) == 0);
  std::error_code refused;
  while (!refused) {
    refused = pair.link.send(StreamCheck::message(pair.next)).error();
    if (!refused) ++pair.next;
    REQUIRE(pair.next < 100'000);
  }
  CHECK(refused == Errc::queue_full);
  CHECK(pair.link.queued_bytes() <= narrow.max_queued_bytes + (128 << 10));
  CHECK(pair.link.flush(5ms).error() == Errc::timed_out);
  pair.child.kill(SIGCONT);
  exchange(pair.link, pair.echoed, pair.next, pair.next);
  pair.part();
}

TEMPLATE_TEST_CASE("signals do not end a wait, before or after its time", "[process]",
                   STRAIT_TEST_CROSSING) {
  EchoPair<TestType> pair;
  exchange(pair.link, pair.echoed, pair.next, 1);

  static volatile sig_atomic_t signals = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { signals = signals + 1; };  // and no SA_RESTART
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const itimerval every_millisecond{{0, 1000}, {0, 1000}};
  REQUIRE(::setitimer(ITIMER_REAL, &every_millisecond, nullptr) == 0);

  signals = 0;
  const auto start = Clock::now();
  const auto waited = pair.link.wait(pair.echoed, 30ms);
  const auto took = Clock::now() - start;
  const int interrupted = signals;
  const auto flushed = pair.link.flush(1ms);
  exchange(pair.link, pair.echoed, pair.next, 500);

  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  CHECK(waited.value() == 0);
  CHECK(took >= 30ms);
  CHECK(interrupted > 0);
  CHECK(flushed);
  pair.part();
}
