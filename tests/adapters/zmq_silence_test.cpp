// Peers of which nothing is heard any more while their connection stands: stopped processes, and
// links that swallow everything. Only heartbeats tell.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "adapters/zmq_links.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

using namespace strait_test;

namespace {

using strait::os::Descriptor;

constexpr std::chrono::milliseconds silence{2000};
const auto unheard = [](const auto&...) {};

template <class Server>
std::pair<std::uint16_t, Server> listen_with_silence(const strait::Token& token) {
  for (;;) {
    const auto port = free_port();
    auto server = Server::listen({endpoint_of(port), {}, silence}, token);
    if (server) return {port, std::move(*server)};
    if (server.error() != Errc::name_taken) throw std::system_error(server.error(), "listen");
  }
}

/// Echoes counts until its channel ends.
const ChildRole echoing_client("zmq echoing client", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(1)).value();
  auto link = ZmqCountLink::connect({arguments.at(0), {}, silence}, token, long_enough);
  child::require(link.has_value());
  static_cast<void>(
      link->run([&](const Count& count) { static_cast<void>(link->send(Count{count.value})); }));
  return 0;
});
const ChildRole echoing_server("zmq echoing server", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(0)).value();
  auto listening = listen_with_silence<ZmqCountLink>(token);
  auto& link = listening.second;
  child::write_line(endpoint_of(listening.first));
  static_cast<void>(
      link.run([&](const Count& count) { static_cast<void>(link.send(Count{count.value})); }));
  return 0;
});

/// Whether a count comes back.
template <class Link>
bool echoes(Link& link) {
  bool came = false;
  const auto hear = [&](const Count& count) { came = count.value == 9; };
  return link.send(Count{9}) && poll_until(link, hear, [&] { return came; }) && came;
}

/// Waits without sending anything, as long as it takes.
template <class Link>
std::error_code wait_for_end(Link& link) {
  const auto handled = link.wait(unheard, long_enough);
  return handled ? std::error_code() : handled.error();
}

/// Passes bytes on between one client and a server until it is told to swallow them.
class SwallowingProxy {
 public:
  explicit SwallowingProxy(std::uint16_t to)
      : to_(to), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback_address(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listening_.get(), 1) == 0);
    REQUIRE(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~SwallowingProxy() {
    stopping_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  SwallowingProxy(const SwallowingProxy&) = delete;
  SwallowingProxy& operator=(const SwallowingProxy&) = delete;

  std::uint16_t port() const { return port_; }
  void swallow() { swallowing_ = true; }

 private:
  void run() {
    const Descriptor client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    const Descriptor server = connect_plainly(to_);
    std::array<char, 4096> bytes;
    // Neither end is closed before the proxy is.
    std::array<bool, 2> ended{};
    while (!stopping_) {
      pollfd ready[] = {{ended[0] ? -1 : client.get(), POLLIN, 0},
                        {ended[1] ? -1 : server.get(), POLLIN, 0}};
      ::poll(ready, 2, 20);
      for (std::size_t i = 0; i != 2; ++i) {
        if (ready[i].revents == 0) continue;
        const auto got = ::recv(ready[i].fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) ended[i] = true;
        if (got <= 0 || swallowing_) continue;
        ::send(i == 0 ? server.get() : client.get(), bytes.data(), static_cast<std::size_t>(got),
               MSG_NOSIGNAL);
      }
    }
  }

  std::uint16_t to_;
  Descriptor listening_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> swallowing_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a client that is stopped ends its channel, and no other", "[zmq][silence]") {
  const auto token = new_token();
  auto [port, server] = listen_with_silence<strait::Acceptor<ZmqCountLink>>(token);
  auto stopped = Child::spawn("zmq echoing client", {endpoint_of(port), token.to_hex()});
  auto alive = Child::spawn("zmq echoing client", {endpoint_of(port), token.to_hex()});
  struct Listener {
    std::size_t connected = 0;
    std::size_t heard = 0;
    std::vector<std::error_code> ends;
    void operator()(ZmqCountLink&, const Count&) { ++heard; }
    void on_connected(ZmqCountLink& link) {
      ++connected;
      link.send(Count{9}).value();
    }
    void on_closed(ZmqCountLink&, std::error_code why) { ends.push_back(why); }
  } listener;
  auto& served = server;
  const auto serve_until = [&](const auto& done) {
    return repeat_until([&] {
      static_cast<void>(served.wait(listener, 10ms));
      return done();
    });
  };
  REQUIRE(serve_until([&] { return listener.heard == 2; }));
  stopped.kill(SIGSTOP);
  REQUIRE(serve_until([&] { return !listener.ends.empty(); }));
  CHECK(listener.ends == std::vector{make_error_code(Errc::peer_closed)});
  CHECK(served.size() == 1);
  CHECK(served.send_all(Count{10}) == 1);
  CHECK(serve_until([&] { return listener.heard == 3; }));
  // What it finds when it goes on is the end, too.
  stopped.kill(SIGCONT);
  CHECK(stopped.wait().success());
}

TEST_CASE("a server that is stopped ends the channel, also for one that only waits",
          "[zmq][silence]") {
  const auto token = new_token();
  auto server = Child::spawn("zmq echoing server", {token.to_hex()});
  const auto endpoint = server.read_line();
  REQUIRE(endpoint);
  auto client = ZmqCountLink::connect({*endpoint, {}, silence}, token, long_enough).value();
  REQUIRE(echoes(client));
  server.kill(SIGSTOP);
  CHECK(wait_for_end(client) == Errc::peer_closed);
  server.kill(SIGCONT);
  CHECK(server.wait().success());
}

TEST_CASE("a link that swallows everything ends at both sides", "[zmq][silence]") {
  const auto token = new_token();
  auto [port, server] = listen_with_silence<ZmqCountLink>(token);
  SwallowingProxy proxy(port);
  auto client = ZmqCountLink::connect({endpoint_of(proxy.port()), {}, silence}, token).value();
  auto& at_server = server;
  REQUIRE(pump_until(at_server, unheard, client, unheard,
                     [&] { return !at_server.waiting_connect() && !client.waiting_connect(); }));
  proxy.swallow();
  CHECK(wait_for_end(client) == Errc::peer_closed);
  CHECK(wait_for_end(at_server) == Errc::peer_closed);
}

TEST_CASE("a link on which nobody says anything goes on", "[zmq][silence][slow]") {
  // What is less than the shortest silence counts as that, and none as well.
  const std::chrono::milliseconds asked(GENERATE(2000, -5));
  const auto token = new_token();
  auto server = Child::spawn("zmq echoing server", {token.to_hex()});
  const auto endpoint = server.read_line();
  REQUIRE(endpoint);
  auto client = ZmqCountLink::connect({*endpoint, {}, asked}, token, long_enough);
  REQUIRE(client);
  REQUIRE(echoes(*client));
  // Longer than the server would wait without heartbeats.
  CHECK(client->wait(unheard, 2 * silence).has_value());
  CHECK(echoes(*client));
}
