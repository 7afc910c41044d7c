// What has a thread of its own, when its process forks: the copy has no thread, and perhaps a mutex
// that is locked for ever.

#include <poll.h>

#include <cstdlib>
#include <ctime>
#include <optional>
#include <thread>

#include "conformance/watched.hpp"
#include "process/forking.hpp"
#include "process/peers.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/task_queue.hpp"
#include "strait/transports/bridged.hpp"

using namespace strait_test;

namespace {

struct ForkAccount : Watched {
  std::size_t messages = 0;
  bool ended = false;
};

struct ForkListener {
  ForkAccount* account;
  void operator()(View) {
    const auto access = account->access();
    ++account->messages;
  }
  void on_closed(std::error_code) {
    const auto access = account->access();
    account->ended = true;
  }
};

/// Called with the proxy's mutex held: keeps it until it is told.
struct Stopper {
  struct Gate : Watched {
    bool closed = false;
    bool inside = false;
  };
  Gate* gate = nullptr;

  void on_send(std::size_t) {
    if (gate == nullptr) return;
    {
      const auto access = gate->access();
      gate->inside = true;
    }
    gate->wait_until([&] { return !gate->closed; });
  }
};

/// Whether the threads of this process sleep while nothing is to be done: what they share with a
/// copy of the process must not keep them awake.
bool sleeps() {
  const std::clock_t before = std::clock();
  ::poll(nullptr, 0, 300);
  return std::clock() - before < CLOCKS_PER_SEC / 50;
}

template <class T>
using StoppedLink = RawLink<T, narrow, Stopper>;

template <class T>
std::optional<strait::ChannelProxy<ProcessLink<T>>> global_proxy;

template <class T>
int run_global_proxy() {
  const auto rendezvous = Rendezvous::take_over();
  static ForkAccount account;
  auto link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token, long_enough).value();
  global_proxy<T>.emplace(
      strait::ChannelProxy<ProcessLink<T>>::start(std::move(link), ForkListener{&account}).value());
  Fork exits([] { std::exit(0); });
  Fork closes([] { global_proxy<T>->close(); });
  Fork moves([] { const auto copy = std::move(*global_proxy<T>); });
  if (!exits.ended_well() || !closes.ended_well() || !moves.ended_well()) return 1;
  if (!sleeps()) return 4;
  if (!global_proxy<T>->send(pattern(100))) return 2;
  const bool heard = account.wait_until([] { return account.messages == 1; });
  global_proxy<T>.reset();
  return heard ? 0 : 3;
}

const ChildRole global_role("fork.global_proxy", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0), []<class T> { return run_global_proxy<T>(); }, Crossing());
});

}  // namespace

TEMPLATE_TEST_CASE("a helper that ends by exit does not hang for a global proxy, which goes on",
                   "[process][fork][proxy]", STRAIT_TEST_CROSSING) {
  const Rendezvous rendezvous;
  auto link = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<TestType>("fork.global_proxy", rendezvous);
  Inbox inbox;
  REQUIRE(wait_while(link, inbox, [&] { return inbox.messages.empty(); }));
  REQUIRE(link.send(pattern(100)));
  CHECK(wait_until_error(link, inbox) == Errc::peer_closed);
  CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
}

TEMPLATE_TEST_CASE("a proxy's copy can be destroyed that was made while another thread sent",
                   "[process][fork][proxy]", STRAIT_TEST_CROSSING) {
  using Link = StoppedLink<TestType>;
  Stopper::Gate gate;
  ForkAccount account;
  const auto name = unique_name("fork");
  const auto token = new_token();
  auto server = Link::listen(name, token, Stopper{&gate}).value();
  auto client = Link::connect(name, token).value();
  auto proxy = strait::ChannelProxy<Link>::start(std::move(server), ForkListener{&account}).value();
  Inbox inbox;
  REQUIRE(poll_until(client, inbox, [&] { return inbox.connected == 1; }));
  {
    const auto access = gate.access();
    gate.closed = true;
  }
  std::thread sender([&] { static_cast<void>(proxy.send(pattern(100))); });
  const bool inside = gate.wait_until([&] { return gate.inside; });
  Fork destroys([&] { const auto copy = std::move(proxy); });
  Fork closes([&] { proxy.close(); });
  const bool destroyed = destroys.ended_well();
  const bool closed = closes.ended_well();
  {
    const auto access = gate.access();
    gate.closed = false;
  }
  sender.join();
  CHECK(inside);
  CHECK(destroyed);
  CHECK(closed);
  CHECK(poll_until(client, inbox, [&] { return inbox.messages.size() == 1; }));
}

TEST_CASE("a forked copy of a bridge does not wait for its thread", "[process][fork][bridged]") {
  using Link = ProcessLink<strait::BridgedTransport<Pipe>>;
  auto pair = connected_pair<Link>();
  REQUIRE(pair.client.send(pattern(100)));
  REQUIRE(pair.deliver_to_server(1));
  REQUIRE(sleeps());  // so that its thread has started
  Fork closes([&] { pair.server.close(); });
  Fork destroys([&] { const auto copy = std::move(pair.server); });
  CHECK(closes.ended_well());
  CHECK(destroys.ended_well());
  CHECK(sleeps());
  REQUIRE(pair.client.send(pattern(100)));
  CHECK(pair.deliver_to_server(2));
}

TEST_CASE("a forked copy of a task queue ends with its tasks", "[process][fork][task_queue]") {
  auto queue = strait::TaskQueue::create().value();
  int ran = 0;
  queue->post([&] { ++ran; });
  Fork destroys([&] { queue.reset(); });
  CHECK(destroys.ended_well());
  CHECK(queue->run() == 1);
  CHECK(ran == 1);
}
