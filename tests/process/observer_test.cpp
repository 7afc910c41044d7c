// What an observer hears of the end of another process: a peer that was killed is told from one
// that has exited and from one that has closed its end and lives.

#include "strait/observer.hpp"

#include <signal.h>
#include <unistd.h>

#include "process/launching.hpp"
#include "process/peers.hpp"
#include "support/events.hpp"

using namespace strait_test;
using strait::EndedBy;

namespace {

template <class T>
using WatchedLink = RawLink<T, narrow, Events>;

/// Connects, says so, and ends in the way that its parent says.
const ChildRole ender_role("observer.ender", [](const ChildArguments& arguments) {
  return connect_and(arguments, [](auto& link) {
    Inbox inbox;
    child::require(wait_while(link, inbox, [&] { return inbox.messages.empty(); }), "told");
    if (inbox.messages[0].size() == 1) ::_exit(7);  // without closing anything
    if (inbox.messages[0].size() == 2) link.close();
    for (;;) ::pause();
    return 0;
  });
});

enum class Parting : std::uint8_t { exit = 1, close = 2, stay = 3 };

/// How a server hears that its client has ended.
template <class T>
strait::ChannelEnd end_of_client(Parting way) {
  const Rendezvous rendezvous;
  const Events observer;
  auto link = WatchedLink<T>::listen(rendezvous.name, rendezvous.token, observer).value();
  auto child = spawn_peer<T>("observer.ender", rendezvous);
  Inbox inbox;
  REQUIRE(wait_while(link, inbox, [&] { return inbox.connected == 0; }));
  REQUIRE(link.send(pattern(static_cast<std::size_t>(way))));
  if (way == Parting::stay) {
    REQUIRE(link.flush(long_enough));
    child.kill(SIGKILL);
  }
  CHECK(wait_until_error(link, inbox) == Errc::peer_closed);
  REQUIRE(observer.log->ends.size() == 1);
  return observer.log->ends[0];
}

}  // namespace

TEMPLATE_TEST_CASE("an observer tells a peer that closed from one that exited or was killed",
                   "[process][observer]", STRAIT_TEST_CROSSING) {
  const auto closed = end_of_client<TestType>(Parting::close);
  CHECK(closed.by == EndedBy::peer);
  const auto exited = end_of_client<TestType>(Parting::exit);
  const auto killed = end_of_client<TestType>(Parting::stay);
  // A FIFO knows no process.
  if constexpr (!std::is_same_v<TestType, Pipe> && !std::is_same_v<TestType, BridgedPipe>) {
    CHECK(exited.by == EndedBy::peer_exited);
    CHECK(exited.status == 7);
    CHECK(killed.by == EndedBy::peer_killed);
    CHECK(killed.status == SIGKILL);
  }
}

TEMPLATE_TEST_CASE("an observer hears how a launched child ended before it was connected",
                   "[process][launch][observer]", STRAIT_TEST_WAYS) {
  using Link = WatchedLink<typename TestType::Transport>;
  const Events observer;
  const auto launched = strait::launch<Link>(own_program(), {"--child", "launch.gone", "0"},
                                             {.timeout = 60s}, observer);
  REQUIRE_FALSE(launched);
  REQUIRE(observer.log->ends.size() == 1);
  CHECK(observer.log->ends[0].why == launched.error());
  CHECK(observer.log->ends[0].by == EndedBy::peer_exited);
  CHECK(strait::exit_status(launched.error())->code == observer.log->ends[0].status);

  const Events no_program;
  CHECK(strait::launch<Link>("/nowhere/program", {}, {}, no_program).error() ==
        std::errc::no_such_file_or_directory);
  REQUIRE(no_program.log->ends.size() == 1);
  CHECK(no_program.log->ends[0].by == EndedBy::this_side);
}
