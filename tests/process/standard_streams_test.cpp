// A process that has closed its standard streams, as daemons do, and still prints: nothing of that
// goes into a channel, because no descriptor of the library's ever has one of these numbers.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/task_queue.hpp"

using namespace strait_test;
using strait::os::Descriptor;

namespace {

/// Closes the three standard streams and brings them back in the end.
class ClosedStreams {
 public:
  ClosedStreams() {
    for (int fd = 0; fd != 3; ++fd) {
      kept_[static_cast<std::size_t>(fd)].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
      ::close(fd);
    }
  }
  ~ClosedStreams() {
    for (int fd = 0; fd != 3; ++fd) ::dup2(kept_[static_cast<std::size_t>(fd)].get(), fd);
  }
  ClosedStreams(const ClosedStreams&) = delete;
  ClosedStreams& operator=(const ClosedStreams&) = delete;

  /// Ends the process with this exit code unless all three numbers are still free.
  static void check(int code) {
    for (int fd = 0; fd != 3; ++fd) {
      if (::fcntl(fd, F_GETFD) >= 0) ::_exit(code);
    }
  }

 private:
  std::array<Descriptor, 3> kept_;
};

/// Takes the first right of a message.
struct Taker {
  Descriptor taken;
  void operator()(View, strait::Rights rights) {
    if (auto right = rights.take<Descriptor>()) taken = std::move(*right);
  }
};

template <class T>
int use_everything() {
  using Link = RawLink<T>;
  const auto name = unique_name("streams");
  const auto token = new_token();
  const Bytes large = pattern(300'000);
  const ClosedStreams closed;
  {
    auto server = Link::listen(name, token);
    if (!server) return 1;
    ClosedStreams::check(100);
    auto client = Link::connect(name, token);
    if (!client) return 2;
    ClosedStreams::check(101);
    if (server->native_handle() < 0 || client->native_handle() < 0) return 3;
    ClosedStreams::check(102);
    Inbox at_server;
    Inbox at_client;
    if (!client->send(View(large))) return 4;
    const bool all = pump_until(*server, at_server, *client, at_client,
                                [&] { return !at_server.messages.empty(); });
    if (!all || !same_bytes(at_server.messages[0], large)) return 5;
    ClosedStreams::check(103);
    auto buffer = client->out_of_line_bytes(large.size());
    if (!buffer || !client->send(*buffer) || !client->send(*buffer)) return 6;
    ClosedStreams::check(104);
    if (!pump_until(*server, at_server, *client, at_client,
                    [&] { return at_server.messages.size() == 3; })) {
      return 7;
    }
    ClosedStreams::check(105);
    if constexpr (strait::CarriesRights<T>) {
      strait::Rights rights;
      Descriptor null = strait::os::open("/dev/null", O_RDONLY).value();
      ClosedStreams::check(106);
      if (!rights.add(std::move(null)) || !client->send(View(), std::move(rights))) return 8;
      Taker taker;
      if (!pump_until(*server, taker, *client, at_client,
                      [&] { return static_cast<bool>(taker.taken); })) {
        return 9;
      }
      ClosedStreams::check(107);
    }
    auto proxy = strait::ChannelProxy<Link>::start(std::move(*server), Inbox());
    if (!proxy) return 10;
    ClosedStreams::check(108);
  }
  {
    using Server = strait::Acceptor<Link>;
    auto server = Server::listen(name, token);
    if (!server) return 11;
    auto client = Link::connect(name, token);
    if (!client) return 12;
    Inbox at_client;
    const auto deaf = [](Link&, View) {};
    if (!pump_until(*server, deaf, *client, at_client, [&] { return at_client.connected == 1; })) {
      return 13;
    }
    ClosedStreams::check(109);
  }
  if constexpr (strait::PassesEnds<T>) {
    auto ends = Link::pair();
    if (!ends || !ends->first.send(View(large).first(100))) return 14;
    ClosedStreams::check(110);
    auto right = ends->second.into_right();
    ClosedStreams::check(111);
    auto passed = right ? Link::from_right(*right) : right.error();
    ClosedStreams::check(112);
    if (right && !passed) return 15;
  }
  const auto memory = strait::SharedMemory::create(100);
  if (!memory || !memory->duplicate() || !strait::Semaphore::create()) return 16;
  const auto tasks = strait::TaskQueue::create();
  if (!tasks) return 17;
  ClosedStreams::check(113);
  return 0;
}

const ChildRole everything_role("streams.everything", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0), []<class T> { return use_everything<T>(); }, Crossing());
});

const ChildRole printing_role("streams.printing", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T> {
        const auto rendezvous = Rendezvous::take_over();
        const ClosedStreams closed;
        auto link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        if (!link) return 1;
        for (std::uint64_t i = 0; i != 5; ++i) {
          if (!link->send(pattern(100, i))) return 2;
          std::printf("a line that was left in\n");
          std::fflush(stdout);
          std::fprintf(stderr, "a warning\n");
          if (!link->flush(long_enough)) return 3;
        }
        Inbox inbox;
        return wait_until_error(*link, inbox) == Errc::peer_closed ? 0 : 4;
      },
      Crossing());
});

const ChildRole nowhere_to_go_role("streams.nowhere_to_go", [](const ChildArguments&) {
  const ClosedStreams closed;
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const std::array taken{Descriptor(::fcntl(10, F_DUPFD_CLOEXEC, 3)),
                         Descriptor(::fcntl(10, F_DUPFD_CLOEXEC, 3))};
  // The numbers 0 to 2 are all that is left.
  const rlimit none{static_cast<rlim_t>(taken[1].get() + 1), old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto file = strait::os::open("/dev/null", O_RDONLY);
  const auto sockets = strait::os::socket_pair(SOCK_STREAM);
  const auto set = strait::os::WaitSet::create();
  ::setrlimit(RLIMIT_NOFILE, &old);
  ClosedStreams::check(100);
  const auto is_full = [](const auto& result) {
    return !result && result.error() == std::errc::too_many_files_open;
  };
  return is_full(file) && is_full(sockets) && is_full(set) ? 0 : 1;
});

}  // namespace

TEMPLATE_TEST_CASE("no descriptor of the library's takes the place of a closed standard stream",
                   "[process][streams]", STRAIT_TEST_CROSSING) {
  auto child = Child::spawn("streams.everything", {word<TestType>()});
  CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
}

TEMPLATE_TEST_CASE("what a process prints with closed standard streams is in no channel",
                   "[process][streams]", STRAIT_TEST_CROSSING) {
  const Rendezvous rendezvous;
  auto server = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<TestType>("streams.printing", rendezvous);
  Inbox inbox;
  REQUIRE(wait_while(server, inbox, [&] { return inbox.messages.size() < 5; }));
  for (std::uint64_t i = 0; i != 5; ++i) CHECK(same_bytes(inbox.messages[i], pattern(100, i)));
  server.close();
  CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
}

TEST_CASE("a process with no numbers left but those of the standard streams hears of it",
          "[process][streams]") {
  auto child = Child::spawn("streams.nowhere_to_go");
  CHECK(child.wait() == ExitStatus{.exited = true, .code = 0, .signal = 0});
}
