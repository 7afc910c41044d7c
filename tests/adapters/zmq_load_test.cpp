// The handle of a channel over ZeroMQ under load: libzmq's own descriptor tells of changes only, and
// whoever takes it for a level sleeps through messages. Each loop here has nothing else to wake it.

#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>
#include <thread>

#include "adapters/zmq_links.hpp"
#include "strait/loops/asio.hpp"
#include "strait/os/poll.hpp"
#include "support/catch.hpp"

using namespace strait_test;

namespace {

constexpr std::uint64_t many = 20'000;

/// Sends and receives counts: those of the peer's come back to it.
struct Load {
  std::uint64_t next = 0;
  std::uint64_t heard = 0;
  bool in_order = true;

  /// Sends some of its own whenever it is woken, with others under way.
  template <class Link>
  void send_some(Link& link) {
    for (int i = 0; i != 50 && next != many && next - heard < 500; ++i) {
      if (!link.send(Count{next})) return;
      ++next;
    }
  }
  void operator()(const Count& count) { in_order = in_order && count.value == heard++; }
};

/// Sends back what comes, waiting in its own way.
void echo_until_end(ZmqCountLink& link) {
  static_cast<void>(link.run([&](const Count& count) { link.send(count).value(); }));
}

/// One more client of the same server makes the socket a shared one.
struct Company {
  strait::Token token = new_token();
  ZmqServing<strait::Acceptor<ZmqCountLink>> serving =
      serve_zmq<strait::Acceptor<ZmqCountLink>>({}, token);
  ZmqCountLink another = ZmqCountLink::connect(serving.endpoint, token).value();
};

}  // namespace

TEST_CASE("wait and a level-triggered loop miss nothing under load", "[zmq][native_handle]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  std::thread echoing([&] { echo_until_end(serving.server); });
  auto client = ZmqCountLink::connect(serving.endpoint, token, long_enough).value();
  Load load;
  const strait::Interests handle{strait::Interest::to_read(client.native_handle().value())};
  load.send_some(client);
  while (load.heard != many) {
    // Never in vain: there is always something under way.
    const auto until = strait::detail::Deadline::after(long_enough);
    if (!strait::os::wait_for(handle, until) || until.passed()) break;
    if (!client.poll(load)) break;
    load.send_some(client);
  }
  client.close();
  echoing.join();
  CHECK(load.heard == many);
  CHECK(load.in_order);
}

TEST_CASE("an Asio loop misses nothing under load", "[zmq][native_handle]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  std::thread echoing([&] { echo_until_end(serving.server); });
  asio::io_context context;
  strait::AsioChannel<ZmqCountLink> client(
      context, ZmqCountLink::connect(serving.endpoint, token, long_enough).value());
  Load load;
  asio::steady_timer timer(context, long_enough);
  timer.async_wait([&](const std::error_code& why) {
    if (!why) client->close();
  });
  const auto go_on = [&](const auto& self) -> void {
    load.send_some(client.channel());
    client.async_receive([&](const Count& count) { load(count); },
                         [&, self](const std::error_code& why, std::size_t) {
                           if (why || load.heard == many) {
                             client->close();
                             timer.cancel();
                           } else {
                             self(self);
                           }
                         });
  };
  go_on(go_on);
  context.run();
  echoing.join();
  CHECK(load.heard == many);
  CHECK(load.in_order);
}

TEST_CASE("a server's loop misses nothing of two clients that share its socket",
          "[zmq][native_handle]") {
  Company company;
  auto& server = company.serving.server;
  std::thread sending([&] {
    auto client =
        ZmqCountLink::connect(company.serving.endpoint, company.token, long_enough).value();
    Load load;
    load.send_some(client);
    while (load.heard != many) {
      const auto heard = client.wait(load, long_enough);
      if (!heard || *heard == 0) break;
      load.send_some(client);
    }
    CHECK(load.heard == many);
    CHECK(load.in_order);
  });
  struct Echo {
    std::size_t ended = 0;
    void operator()(ZmqCountLink& link, const Count& count) { link.send(count).value(); }
    void on_closed(ZmqCountLink&, std::error_code) { ++ended; }
  } echo;
  const strait::Interests handle{strait::Interest::to_read(server.native_handle().value())};
  while (echo.ended == 0) {
    const auto until = strait::detail::Deadline::after(long_enough);
    if (!strait::os::wait_for(handle, until) || until.passed()) break;
    if (!server.poll(echo)) break;
  }
  sending.join();
  CHECK(echo.ended == 1);
}
