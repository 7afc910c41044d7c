// A proxy whose peer is another process, which dies without a word.

#include "strait/channel_proxy.hpp"

#include <signal.h>

#include <random>
#include <thread>

#include "conformance/watched.hpp"
#include "process/peers.hpp"

using namespace strait_test;

namespace {

struct Account : Watched {
  StreamCheck received;
  int ends = 0;
  std::error_code why;
};

struct Listener {
  Account& account;
  void operator()(View bytes) {
    const auto access = account.access();
    account.received(bytes);
  }
  void on_closed(std::error_code why) {
    const auto access = account.access();
    account.why = why;
    ++account.ends;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a proxy's peer killed in mid-stream is peer_closed after whole messages",
                   "[process][proxy]", STRAIT_TEST_CROSSING) {
  std::mt19937 random(1984);
  for (int round = 0; round != 5; ++round) {
    const Rendezvous rendezvous;
    Account account;
    auto link = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
    auto proxy =
        strait::ChannelProxy<ProcessLink<TestType>>::start(std::move(link), Listener{account})
            .value();
    // It sends as fast as it can, too: its queue is full when the child dies.
    std::thread sender([&] {
      for (;;) {
        const auto sent = proxy.send(pattern(3000));
        if (!sent && sent.error() != Errc::queue_full) return;
        if (!sent) std::this_thread::yield();
      }
    });
    auto child = spawn_peer<TestType>("peer.streaming_client", rendezvous);
    const std::uint64_t enough = 1 + random() % 2000;
    const bool came = account.wait_until([&] { return account.received.count() >= enough; });
    child.kill(SIGKILL);
    const bool told = account.wait_until([&] { return account.ends == 1; });
    proxy.close();
    sender.join();
    REQUIRE(came);
    REQUIRE(told);
    CHECK(account.why == Errc::peer_closed);
    CHECK_FALSE(account.received.wrong());
    CHECK(child.wait().killed_by(SIGKILL));
  }
}
