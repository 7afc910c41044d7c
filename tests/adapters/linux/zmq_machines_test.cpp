// Two machines as far as the kernel can play them: two network namespaces, each with its own
// interface, and a link between them that is slow, loses and reorders, is cut and restored. They
// are those of two processes, and go with them.

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <string>

#include "adapters/zmq_links.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

using namespace strait_test;

namespace {

constexpr const char* endpoint = "tcp://10.213.0.1:5555";
/// How long a link may be silent where one is cut, and where none may take a short silence for one.
constexpr std::chrono::milliseconds short_silence{900};
constexpr std::chrono::milliseconds long_silence{15'000};

/// Runs a command in the network namespace of a process; says whether it succeeded.
bool run_in(pid_t process, const std::string& command) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string path = "/proc/" + std::to_string(process) + "/ns/net";
    const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (space < 0 || ::setns(space, CLONE_NEWNET) != 0) ::_exit(1);
    ::execl("/bin/sh", "sh", "-c", (command + " >/dev/null 2>&1").c_str(), nullptr);
    ::_exit(1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

struct InOrder {
  std::uint64_t next = 0;
  bool right = true;
  void operator()(const Count& count) { right = right && count.value == next++; }
};

/// Has a network of its own, sends each client counts from 0, and checks those that come.
const ChildRole server_machine("zmq server machine", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(0)).value();
  const std::chrono::milliseconds silence(std::stoi(arguments.at(1)));
  child::require(::unshare(CLONE_NEWNET) == 0);
  child::write_line("alone");
  child::require(child::read_line() == "connected");
  struct Client {
    std::uint64_t sent = 0;
    InOrder heard;
  };
  struct Listener {
    std::map<ZmqCountLink*, Client> clients;
    bool right = true;
    void operator()(ZmqCountLink& link, const Count& count) { clients[&link].heard(count); }
    void on_connected(ZmqCountLink& link) { clients[&link] = {}; }
    void on_closed(ZmqCountLink& link, std::error_code why) {
      right = right && clients[&link].heard.right && why == Errc::peer_closed;
      clients.erase(&link);
    }
  } listener;
  auto server = strait::Acceptor<ZmqCountLink>::listen({endpoint, {}, silence}, token);
  child::require(server.has_value());
  child::write_line("listening");
  const strait::Interests orders{strait::Interest::to_read(STDIN_FILENO)};
  while (!strait::os::is_ready(orders.in)) {
    child::require(server->wait(listener, 1ms).has_value());
    server->for_each([&](ZmqCountLink& link) {
      auto& sent = listener.clients[&link].sent;
      for (int i = 0; i != 10; ++i) {
        if (link.queued_bytes() == 0 && link.send(Count{sent})) ++sent;
      }
    });
  }
  return listener.right ? 0 : 1;
});

/// Has a network of its own, connects again whenever its channel has ended, and tells of each life.
const ChildRole client_machine("zmq client machine", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(0)).value();
  const std::chrono::milliseconds silence(std::stoi(arguments.at(1)));
  child::require(::unshare(CLONE_NEWNET) == 0);
  child::write_line("alone");
  for (;;) {
    const auto order = child::read_line();
    if (!order) return 0;
    auto link = ZmqCountLink::connect({endpoint, {}, silence}, token, 15s);
    child::require(link.has_value());
    InOrder heard;
    bool told = false;
    for (std::uint64_t next = 0;;) {
      if (link->queued_bytes() == 0 && link->send(Count{next})) ++next;
      const auto polled = link->wait(heard, 1ms);
      if (!polled) {
        child::require(polled.error() == Errc::peer_closed);
        break;
      }
      if (heard.next < 2000 || told) continue;
      told = true;
      child::write_line("heard");
      if (order == "once") break;
    }
    child::require(heard.right && told);
    if (order != "once") child::write_line("ended");
  }
});

/// The two of them with a link between, as far as this process may make one.
struct Machines {
  explicit Machines(std::chrono::milliseconds silence)
      : server(spawn("zmq server machine", silence)),
        client(spawn("zmq client machine", silence)) {}

  strait::Token token = new_token();
  Child server;
  Child client;

  bool connect() {
    if (server.read_line() != "alone" || client.read_line() != "alone") return false;
    const auto as_text = [](pid_t pid) { return std::to_string(pid); };
    return run_in(server.pid(), "ip link add strait0 type veth peer name strait0 netns " +
                                    as_text(client.pid())) &&
           run_in(server.pid(),
                  "ip addr add 10.213.0.1/24 dev strait0 && ip link set strait0 up") &&
           run_in(client.pid(),
                  "ip addr add 10.213.0.2/24 dev strait0 && ip link set strait0 up") &&
           server.write_line("connected") && server.read_line() == "listening";
  }
  bool end() {
    client.close_stdin();
    const bool client_ended_well = client.wait().success();
    server.close_stdin();
    return server.wait().success() && client_ended_well;
  }

 private:
  Child spawn(const char* role, std::chrono::milliseconds silence) const {
    return Child::spawn(role, {token.to_hex(), std::to_string(silence.count())});
  }
};

bool can_play_machines() {
  if (::geteuid() == 0 && run_in(::getpid(), "unshare -n ip link add type veth")) return true;
  std::cout << "skipped: only root, with a program called ip, can play two machines\n";
  return false;
}

}  // namespace

TEST_CASE("between two machines a link that is cut ends, and the next one works",
          "[zmq][machines]") {
  if (!can_play_machines()) return;
  Machines machines(short_silence);
  REQUIRE(machines.connect());
  for (int cut = 0; cut != 3; ++cut) {
    REQUIRE(machines.client.write_line("until the end"));
    REQUIRE(machines.client.read_line() == "heard");
    REQUIRE(run_in(machines.server.pid(), "ip link set strait0 down"));
    CHECK(machines.client.read_line() == "ended");
    REQUIRE(run_in(machines.server.pid(), "ip link set strait0 up"));
  }
  CHECK(machines.end());
}

TEST_CASE("between two machines a short silence ends nothing, and a bad link loses nothing",
          "[zmq][machines]") {
  if (!can_play_machines()) return;
  Machines machines(long_silence);
  REQUIRE(machines.connect());
  REQUIRE(machines.client.write_line("once"));
  REQUIRE(run_in(machines.server.pid(), "ip link set strait0 down && ip link set strait0 up"));
  CHECK(machines.client.read_line(long_enough) == "heard");
  if (run_in(machines.server.pid(),
             "tc qdisc add dev strait0 root netem delay 2ms 1ms loss 2% reorder 25%")) {
    REQUIRE(machines.client.write_line("once"));
    CHECK(machines.client.read_line(long_enough) == "heard");
  } else {
    std::cout << "no netem in this kernel: without delay, loss and reordering\n";
  }
  CHECK(machines.end());
}
