// Connections that are cut at random moments while both sides send: what arrives is what was sent
// on this connection, from the first message on, in order and once, and then the channel ends.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "adapters/zmq_links.hpp"
#include "support/catch.hpp"

using namespace strait_test;

namespace {

using strait::os::Descriptor;

/// Passes on what goes to a port, and cuts each connection after a random number of bytes.
class CuttingProxy {
 public:
  explicit CuttingProxy(std::uint16_t to)
      : to_(to), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback_address(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listening_.get(), 16) == 0);
    REQUIRE(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~CuttingProxy() {
    stopping_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::uint16_t port() const { return port_; }
  int cuts() const { return cuts_; }

 private:
  void run() {
    while (!stopping_) {
      const Descriptor client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) continue;
      pass_on(client, connect_plainly(to_));
      ++cuts_;
    }
  }

  void pass_on(const Descriptor& client, const Descriptor& server) {
    // Mostly behind the handshake, which takes some 1,500 bytes.
    std::size_t left = random_() % 20 == 0 ? random_() % 2'000 : 2'000 + random_() % 60'000;
    std::array<char, 4096> bytes;
    while (left != 0 && !stopping_) {
      pollfd ready[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
      ::poll(ready, 2, 100);
      for (int i = 0; i != 2; ++i) {
        if (ready[i].revents == 0) continue;
        const auto got = ::recv(ready[i].fd, bytes.data(), std::min(left, bytes.size()), 0);
        if (got <= 0) return;
        left -= static_cast<std::size_t>(got);
        ::send(ready[1 - i].fd, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
      }
    }
    // By a reset as often as by an orderly end.
    if (random_() % 2 == 0) {
      const linger at_once{1, 0};
      for (const auto* one : {&client, &server}) {
        ::setsockopt(one->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
    }
  }

  std::uint16_t to_;
  Descriptor listening_;
  std::uint16_t port_ = 0;
  std::minstd_rand random_{20'26};
  std::atomic<bool> stopping_ = false;
  std::atomic<int> cuts_ = 0;
  std::thread thread_;
};

/// Counts that come in one life of a channel.
struct InOrder {
  std::uint64_t next = 0;
  bool right = true;
  void operator()(const Count& count) { right = right && count.value == next++; }
};

}  // namespace

TEST_CASE("cuts under load lose nothing unnoticed and bring nothing twice", "[zmq][slow]") {
  // Each takes some 30 ms, most of it until the client tries again. More of them are wanted where
  // there is time: STRAIT_TEST_CUTS=1000.
  const char* const wanted = std::getenv("STRAIT_TEST_CUTS");
  const int many = wanted != nullptr ? std::atoi(wanted) : 200;
  const auto token = new_token();
  using Server = strait::Acceptor<ZmqCountLink>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  CuttingProxy proxy(serving.port);
  const std::string name = endpoint_of(proxy.port());

  std::atomic<bool> done = false;
  std::atomic<bool> left = false;
  std::uint64_t at_client = 0;
  bool client_right = true;
  std::error_code odd_end;
  std::thread client([&] {
    while (!done) {
      auto link = ZmqCountLink::connect(name, token, 5s);
      if (!link) continue;
      InOrder heard;
      for (std::uint64_t next = 0;;) {
        for (int i = 0; i != 20; ++i) {
          if (link->send(Count{next})) ++next;
        }
        const auto polled = link->wait(heard, 1ms);
        if (polled) continue;
        if (polled.error() != Errc::peer_closed) odd_end = polled.error();
        break;
      }
      at_client += heard.next;
      client_right = client_right && heard.right;
    }
    left = true;
  });

  struct Listener {
    std::map<ZmqCountLink*, InOrder> lives;
    std::uint64_t heard = 0;
    bool right = true;
    std::error_code odd_end;
    void operator()(ZmqCountLink& client, const Count& count) {
      lives[&client](count);
      static_cast<void>(client.send(count));
    }
    void on_closed(ZmqCountLink& client, std::error_code why) {
      heard += lives[&client].next;
      right = right && lives[&client].right;
      lives.erase(&client);
      if (why != Errc::peer_closed) odd_end = why;
    }
  } listener;
  const auto end = Clock::now() + std::max(1, many / 100) * long_enough;
  while (proxy.cuts() < many && Clock::now() < end) {
    static_cast<void>(server.wait(listener, 10ms));
  }
  done = true;
  // The last lives end by a cut, too.
  while ((!left || server.size() != 0) && Clock::now() < end) {
    static_cast<void>(server.wait(listener, 10ms));
  }
  client.join();
  CHECK(proxy.cuts() >= many);
  CHECK(client_right);
  CHECK(listener.right);
  CHECK_FALSE(odd_end);
  CHECK_FALSE(listener.odd_end);
  CHECK(at_client > 1000);
  CHECK(listener.heard > 1000);
}
