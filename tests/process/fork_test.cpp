// A process forks without exec: the copies that the other one has of its objects must do nothing to
// the world when they end, and a daemon that goes on with them must find all as it was.

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "process/forking.hpp"
#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/os/poll.hpp"

using namespace strait_test;

namespace {

template <class T>
using Server = strait::Acceptor<ProcessLink<T>>;

/// As many daemons have it.
template <class T>
std::optional<Server<T>> global_server;

template <class T>
int serve() {
  bool ended = false;
  const auto end = Clock::now() + long_enough;
  struct Echo {
    bool& ended;
    void operator()(ProcessLink<T>& client, View bytes) { static_cast<void>(client.send(bytes)); }
    void on_closed(ProcessLink<T>&, std::error_code) { ended = true; }
  } listener{ended};
  while (!ended && Clock::now() < end) {
    if (!global_server<T>->wait(listener, 100ms)) return 1;
  }
  return ended ? 0 : 2;
}

template <class T>
void listen_globally() {
  const auto rendezvous = Rendezvous::take_over();
  auto server = Server<T>::listen(rendezvous.name, rendezvous.token);
  child::require(server.has_value(), "a server");
  global_server<T>.emplace(std::move(*server));
}

const ChildRole helped_role("fork.helped", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T> {
        listen_globally<T>();
        // A helper of some library ends by `exit`, which runs the destructors of globals; another
        // one tidies up first.
        Fork exits([] { std::exit(0); });
        Fork closes([] { global_server<T>->close(); });
        if (!exits.ended_well() || !closes.ended_well()) return 3;
        child::write_line("ready");
        const int code = serve<T>();
        global_server<T>.reset();
        return code;
      },
      Crossing());
});

const ChildRole daemon_role("fork.daemon", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T> {
        listen_globally<T>();
        const pid_t parent = ::getpid();
        // The usual way: the parent leaves, and its destructors run, while the child serves.
        if (::fork() != 0) std::exit(0);
        ::alarm(60);
        while (::getppid() == parent) ::usleep(100);
        child::write_line("ready");
        const int code = serve<T>();
        global_server<T>.reset();
        ::_exit(code);
        return 0;
      },
      Crossing());
});

/// Asks the server at a name for an answer.
template <class T>
bool is_answered(const Rendezvous& rendezvous) {
  auto link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
  if (!link) {
    UNSCOPED_INFO("connect: " << link.error().message());
    return false;
  }
  Inbox inbox;
  return link->send(pattern(100)) &&
         wait_while(*link, inbox, [&] { return inbox.messages.empty(); });
}

}  // namespace

TEMPLATE_TEST_CASE("a helper that a server forked and that ends leaves the server its name",
                   "[process][fork]", STRAIT_TEST_CROSSING) {
  for (const bool path : {false, true}) {
    CAPTURE(path);
    const Rendezvous rendezvous{path ? unique_path("fork") : unique_name("fork")};
    auto child = spawn_peer<TestType>("fork.helped", rendezvous);
    REQUIRE(child.read_line() == "ready");
    CHECK(is_answered<TestType>(rendezvous));
    CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
    CHECK(ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).error() ==
          Errc::not_found);
  }
}

#if STRAIT_HAS_LINUX  // a kqueue, and a Mach port, stay with the process that made them
TEMPLATE_TEST_CASE("a server that became a daemon by fork and exit keeps its name to its end",
                   "[process][fork]", STRAIT_TEST_CROSSING) {
  for (const bool path : {false, true}) {
    CAPTURE(path);
    const Rendezvous rendezvous{path ? unique_path("fork") : unique_name("fork")};
    auto child = spawn_peer<TestType>("fork.daemon", rendezvous);
    REQUIRE(child.read_line() == "ready");
    CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
    CHECK(is_answered<TestType>(rendezvous));
    CHECK(child.read_line() == std::nullopt);  // the daemon has ended
    CHECK(ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).error() ==
          Errc::not_found);
  }
}

#endif

TEMPLATE_TEST_CASE("who closes a server frees its name, also while a forked process has a copy",
                   "[process][fork]", STRAIT_TEST_CROSSING) {
  const auto name = unique_path("fork");
  const auto token = new_token();
  auto server = Server<TestType>::listen(name, token).value();
  const Holder holder;
  server.close();
  CHECK(ProcessLink<TestType>::connect(name, token).error() == Errc::not_found);
  auto again = ProcessLink<TestType>::listen(name, token).value();
  Inbox at_server;
  Inbox at_client;
  auto client = ProcessLink<TestType>::connect(name, token).value();
  REQUIRE(pump_until(again, at_server, client, at_client,
                     [&] { return at_client.connected == 1 && at_server.connected == 1; }));
  // And so does who lets its one client in.
  CHECK(ProcessLink<TestType>::listen(name, token));
}

TEMPLATE_TEST_CASE("a helper that a client forked before it was let in does not keep it out",
                   "[process][fork]", STRAIT_TEST_CROSSING) {
  auto pair = fresh_pair<ProcessLink<TestType>>();
  Fork helper([&] {
    auto copy = std::move(pair.client);
    copy.close();
  });
  Fork another([&] { const auto copy = std::move(pair.client); });
  REQUIRE(helper.ended_well());
  REQUIRE(another.ended_well());
  CHECK(pair.connect());
}

TEMPLATE_TEST_CASE("a forked copy of a channel that is closed does nothing to the channel",
                   "[process][fork]", STRAIT_TEST_TRANSPORTS) {
  using Link = ProcessLink<TestType>;
  auto pair = connected_pair<Link>();
  const int handle = pair.server.native_handle();
  REQUIRE(handle >= 0);
  REQUIRE(pair.client.native_handle() >= 0);
  REQUIRE(pair.client.send(pattern(100)));
  REQUIRE(pair.deliver_to_server(1));
  Fork closes([&] {
    pair.server.close();
    pair.client.close();
  });
  Fork destroys([&] {
    const auto server = std::move(pair.server);
    const auto client = std::move(pair.client);
  });
  REQUIRE(closes.ended_well());
  REQUIRE(destroys.ended_well());
  // A loop of this process is not woken for it, again and again.
  while (pair.server.poll(pair.at_server).value() != 0) {
  }
  CHECK(!strait::os::is_ready(strait::Interest::to_read(handle)));
  REQUIRE(pair.client.send(pattern(5000, 1)));
  REQUIRE(pair.server.send(pattern(5000, 2)));
  REQUIRE(pair.deliver_to_server(2));
  REQUIRE(pair.deliver_to_client(1));
  CHECK(same_bytes(pair.at_server.messages[1], pattern(5000, 1)));
  CHECK(same_bytes(pair.at_client.messages[0], pattern(5000, 2)));
}
