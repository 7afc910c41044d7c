// A server and crowds of clients in other processes: many, dying, hostile and mute ones.

#include "strait/acceptor.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <random>

#include "process/peers.hpp"
#include "strait/transports/mach.hpp"
#include "support/descriptor_limit.hpp"

using namespace strait_test;

namespace {

/// Rings of 16 KiB: a thousand clients with the default ones would have 2 GiB.
using SmallMach =
    strait::MachTransport<strait::DefaultSendPolicy, strait::Block, std::size_t{16} << 10>;

/// A client is a process of its own, or one of many channels of a process.
template <class T>
using Client = RawLink<T, narrow>;

/// Has many channels, each of which sends `rounds` messages and hears them back; then stays until
/// its input ends.
template <class T>
int crowd(const ChildArguments& arguments) {
  const auto rendezvous = Rendezvous::take_over();
  const std::size_t count = std::stoul(arguments.at(1));
  const std::size_t rounds = std::stoul(arguments.at(2));
  std::vector<std::unique_ptr<Client<T>>> clients;
  while (clients.size() != count) {
    auto client = Client<T>::connect(rendezvous.name, rendezvous.token, long_enough);
    child::require(client.has_value(), "connected: " + client.error().message());
    clients.push_back(std::make_unique<Client<T>>(std::move(*client)));
  }
  child::write_line("all in");
  child::require(child::read_line().has_value(), "a go");
  std::size_t right = 0;
  for (std::size_t round = 0; round != rounds; ++round) {
    for (std::size_t i = 0; i != count; ++i) {
      child::require(clients[i]->send(pattern(100 + i % 500, i + round)).has_value(), "sent");
    }
    for (std::size_t i = 0; i != count; ++i) {
      const auto hear = [&](View bytes) {
        right += same_bytes(bytes, pattern(100 + i % 500, i + round));
      };
      const auto heard = clients[i]->wait(hear, long_enough);
      child::require(heard.value_or(0) == 1, "an answer");
    }
  }
  child::require(right == count * rounds, "the right answers");
  child::write_line("all heard");
  static_cast<void>(child::read_line());
  return 0;
}

template <class... Ts>
int crowd_over(const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0), [&]<class T>() { return crowd<T>(arguments); }, Transports<Ts...>());
}
using Crowding = Transports<SmallMach, Mach, Pipe>;

const ChildRole crowd_role("acceptor.crowd", [](const ChildArguments& arguments) {
  child::require(raise_descriptor_limit(1024), "descriptors");
  return crowd_over<SmallMach, Mach, Pipe>(arguments);
});

/// Streams until it is killed or the server ends.
const ChildRole restless_role("acceptor.restless", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = Client<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        const auto deaf = [](View) {};
        for (std::uint64_t i = 0;; ++i) {
          const auto sent = link->send(pattern(i % 3000, i));
          if (!sent && sent.error() != Errc::queue_full) return 0;
          if (!link->wait(deaf, std::chrono::milliseconds(sent ? 0 : 1))) return 0;
        }
      },
      Crowding());
});

/// Tries one wrong token after the other.
const ChildRole rogue_role("acceptor.rogue", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        child::write_line("at it");
        for (;;) {
          const auto link = Client<T>::connect(rendezvous.name, new_token(), 1s);
          child::require(!link.has_value(), "kept out");
          if (link.error() == Errc::not_found) return 0;
        }
      },
      Crowding());
});

template <class T>
Child spawn(std::string_view role, const Rendezvous& rendezvous, std::size_t count = 0,
            std::size_t rounds = 0) {
  Child child =
      Child::spawn(role, {word_for<T>(Crowding()), std::to_string(count), std::to_string(rounds)});
  rendezvous.hand_over(child);
  return child;
}

template <class Link>
struct Echo {
  std::size_t connected = 0;
  std::size_t heard = 0;
  std::size_t closed = 0;

  void on_connected(Link&) { ++connected; }
  void operator()(Link& client, View bytes) {
    ++heard;
    static_cast<void>(client.send(bytes));
  }
  void on_closed(Link&, std::error_code) { ++closed; }
};

template <class Server, class Listener, class Done>
bool serve_until(Server& server, Listener& listener, Done done,
                 std::chrono::seconds timeout = long_enough) {
  for (const auto end = Clock::now() + timeout; Clock::now() < end;) {
    if (done()) return true;
    REQUIRE(server.wait(listener, 20ms));
  }
  return done();
}

bool has_line(Child& child, std::string_view wanted) {
  const auto line = child.read_line(1ms);
  if (line) CHECK(*line == wanted);
  return line.has_value();
}

/// Serves until each child has said its line.
template <class Server, class Listener>
bool serve_until_all_say(Server& server, Listener& listener, std::vector<Child>& children,
                         std::string_view line) {
  std::size_t said = 0;
  return serve_until(server, listener, [&] {
    while (said != children.size() && has_line(children[said], line)) ++said;
    return said == children.size();
  });
}

template <class T>
void serve_crowds(std::size_t processes, std::size_t each, std::size_t rounds) {
  if (!raise_descriptor_limit(7 * processes * each + 100)) {
    STRAIT_TEST_SKIP("this process may not have descriptors enough");
  }
  using Link = ProcessLink<T>;
  const Rendezvous rendezvous;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token).value();
  Echo<Link> echo;
  std::vector<Child> children;
  for (std::size_t i = 0; i != processes; ++i) {
    children.push_back(spawn<T>("acceptor.crowd", rendezvous, each, rounds));
  }
  REQUIRE(serve_until_all_say(server, echo, children, "all in"));
  CHECK(server.size() == processes * each);
  CHECK(echo.connected == processes * each);
  for (Child& child : children) REQUIRE(child.write_line("go"));
  REQUIRE(serve_until_all_say(server, echo, children, "all heard"));
  CHECK(echo.heard == processes * each * rounds);
  CHECK(echo.closed == 0);
  // Half of them leave, half are killed.
  for (std::size_t i = 0; i != processes; ++i) {
    i % 2 == 0 ? children[i].close_stdin() : children[i].kill(SIGKILL);
  }
  REQUIRE(serve_until(server, echo, [&] { return server.size() == 0; }));
  CHECK(echo.closed == processes * each);
  for (std::size_t i = 0; i != processes; ++i) {
    const auto status = children[i].wait();
    CHECK((i % 2 == 0 ? status.success() : status.killed_by(SIGKILL)));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a thousand clients at once are let in, served and let go",
                   "[process][acceptor][slow][serial]", SmallMach, Pipe) {
  serve_crowds<TestType>(8, 125, 3);
}

TEST_CASE("a hundred clients with the default rings are served", "[process][acceptor][slow]") {
  serve_crowds<Mach>(4, 25, 3);
}

TEMPLATE_TEST_CASE("clients killed at random disturb no other client", "[process][acceptor][slow]",
                   SmallMach, Pipe) {
  using Link = ProcessLink<TestType>;
  const Rendezvous rendezvous;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token).value();
  Echo<Link> echo;
  auto steady = spawn<TestType>("acceptor.crowd", rendezvous, 5, 500);
  std::vector<Child> children;
  std::mt19937 random(20'261'122);
  std::vector<Child> one;
  one.push_back(std::move(steady));
  REQUIRE(serve_until_all_say(server, echo, one, "all in"));
  REQUIRE(one[0].write_line("go"));
  for (int round = 0; round != 40; ++round) {
    while (children.size() < 4) {
      children.push_back(spawn<TestType>("acceptor.restless", rendezvous));
    }
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 15'000);
    while (Clock::now() < moment) REQUIRE(server.wait(echo, 1ms));
    const std::size_t which = random() % children.size();
    children[which].kill(SIGKILL);
    REQUIRE(children[which].wait().killed_by(SIGKILL));
    children.erase(children.begin() + static_cast<std::ptrdiff_t>(which));
  }
  for (Child& child : children) child.kill(SIGKILL);
  REQUIRE(serve_until_all_say(server, echo, one, "all heard"));
  REQUIRE(serve_until(server, echo, [&] { return server.size() == 5; }));
  CHECK(echo.connected == echo.closed + 5);
  one[0].close_stdin();
  REQUIRE(serve_until(server, echo, [&] { return server.size() == 0; }));
  CHECK(one[0].wait().success());
}

TEMPLATE_TEST_CASE("rogues with wrong tokens at full speed keep out and hold up nobody",
                   "[process][acceptor][slow]", SmallMach, Pipe) {
  struct Refusals {
    std::shared_ptr<std::size_t> count = std::make_shared<std::size_t>(0);
    std::shared_ptr<std::size_t> other = std::make_shared<std::size_t>(0);
    void on_refused(std::error_code why, const strait::PeerCredentials&) {
      ++*(why == Errc::bad_token ? count : other);
    }
  };
  using Link = RawLink<TestType, narrow, Refusals>;
  const Rendezvous rendezvous;
  const Refusals refusals;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token, refusals).value();
  Echo<Link> echo;
  std::vector<Child> rogues;
  for (int i = 0; i != 3; ++i) rogues.push_back(spawn<TestType>("acceptor.rogue", rendezvous));
  REQUIRE(serve_until_all_say(server, echo, rogues, "at it"));
  // One who is in at once, and others who come while the rogues are at it.
  std::vector<Child> honest;
  for (int i = 0; i != 3; ++i) {
    honest.push_back(spawn<TestType>("acceptor.crowd", rendezvous, 3, 200));
  }
  REQUIRE(serve_until_all_say(server, echo, honest, "all in"));
  for (Child& child : honest) REQUIRE(child.write_line("go"));
  REQUIRE(serve_until_all_say(server, echo, honest, "all heard"));
  REQUIRE(serve_until(server, echo, [&] { return *refusals.count >= 300; }));
  CHECK(server.size() == 9);
  CHECK(echo.connected == 9);
  CHECK(echo.heard == 9 * 200);
  for (Child& child : rogues) CHECK(child.wait(1ms).still_running());
  for (Child& child : rogues) child.kill(SIGKILL);
  for (Child& child : honest) child.close_stdin();
  REQUIRE(serve_until(server, echo, [&] { return server.size() == 0; }));
  for (Child& child : honest) CHECK(child.wait().success());
}

TEST_CASE("clients that connect and say nothing go when their time is up, and hold up nobody",
          "[process][acceptor]") {
  struct Refusals {
    std::shared_ptr<std::vector<std::error_code>> why =
        std::make_shared<std::vector<std::error_code>>();
    void on_refused(std::error_code reason, const strait::PeerCredentials&) {
      why->push_back(reason);
    }
  };
  using Link = RawLink<SmallMach, strait::ChannelOptions{.handshake_timeout_ms = 300}, Refusals>;
  const Rendezvous rendezvous;
  const Refusals refusals;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token, refusals).value();
  Echo<Link> echo;
  std::vector<strait::MachTransport<>::Connector> mute;
  const auto start = Clock::now();
  for (int i = 0; i != 10; ++i) {
    mute.push_back(strait::MachTransport<>::look_up(rendezvous.name).value());
  }
  std::vector<Child> honest;
  honest.push_back(spawn<SmallMach>("acceptor.crowd", rendezvous, 3, 20));
  REQUIRE(serve_until_all_say(server, echo, honest, "all in"));
  REQUIRE(honest[0].write_line("go"));
  REQUIRE(serve_until_all_say(server, echo, honest, "all heard"));
  REQUIRE(serve_until(server, echo, [&] { return refusals.why->size() == 10; }));
  CHECK(Clock::now() - start >= 300ms);
  for (const auto& why : *refusals.why) CHECK(why == Errc::handshake_timeout);
  CHECK(server.size() == 3);
  honest[0].close_stdin();
  REQUIRE(serve_until(server, echo, [&] { return server.size() == 0; }));
  CHECK(honest[0].wait().success());
}
