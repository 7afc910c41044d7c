// The handle of a channel over ZeroMQ in epoll, as a level and as an edge, under load: nothing else
// wakes the loop.

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <thread>

#include "adapters/zmq_links.hpp"
#include "support/catch.hpp"

using namespace strait_test;

TEST_CASE("epoll misses nothing under load, as a level and as an edge", "[zmq][native_handle]") {
  const std::uint32_t mode = GENERATE(0U, static_cast<std::uint32_t>(EPOLLET));
  CAPTURE(mode);
  constexpr std::uint64_t many = 20'000;
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  std::thread echoing([&] {
    static_cast<void>(
        serving.server.run([&](const Count& count) { serving.server.send(count).value(); }));
  });
  auto client = ZmqCountLink::connect(serving.endpoint, token, long_enough).value();
  const strait::os::Descriptor loop(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | mode;
  REQUIRE(::epoll_ctl(loop.get(), EPOLL_CTL_ADD, client.native_handle().value(), &event) == 0);
  std::uint64_t sent = 0;
  std::uint64_t heard = 0;
  bool in_order = true;
  const auto hear = [&](const Count& count) { in_order = in_order && count.value == heard++; };
  const auto send_some = [&] {
    for (int i = 0; i != 50 && sent != many && sent - heard < 500; ++i) {
      if (!client.send(Count{sent})) return;
      ++sent;
    }
  };
  send_some();
  while (heard != many) {
    // There is always something under way.
    if (::epoll_wait(loop.get(), &event, 1, 40'000) != 1) {
      break;
    }
    if (!client.poll(hear)) break;
    send_some();
  }
  client.close();
  echoing.join();
  CHECK(heard == many);
  CHECK(in_order);
}
