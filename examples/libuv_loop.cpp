// Channels in a libuv program: a server that watches its clients, and one that asks in intervals.

#include <unistd.h>
#include <uv.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/loops/libuv.hpp>
#include <strait/strait.hpp>

struct Ask {
  std::uint32_t sensor;
};
struct Reading {
  double celsius;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ask, Reading>>;

struct Sensors {
  void operator()(Link& client, const Ask& ask) {
    if (!client.send(Reading{20.5 + ask.sensor})) client.close();
  }
  void on_closed(Link&, std::error_code why) {
    std::printf("sensors: %s\n", why.message().c_str());
    ::uv_stop(::uv_default_loop());
  }
};

int main() {
  uv_loop_t* const loop = ::uv_default_loop();
  const auto name = "sensors-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  int readings = 0;
  {
    const auto serving = strait::LibuvWatch::start(server, Sensors(), loop).value();
    const auto print = [&](const Reading& reading) {
      std::printf("it has %.1f degrees\n", reading.celsius);
      if (++readings == 3) client.close();
    };
    const auto asking = strait::LibuvWatch::start(client, print, loop).value();
    uv_timer_t timer;
    ::uv_timer_init(loop, &timer);
    timer.data = &client;
    const auto ask = [](uv_timer_t* ticking) {
      static_cast<void>(static_cast<Link*>(ticking->data)->send(Ask{1}));
    };
    ::uv_timer_start(&timer, ask, 1, 10);
    ::uv_run(loop, UV_RUN_DEFAULT);
    ::uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    ::uv_run(loop, UV_RUN_NOWAIT);
  }
  ::uv_run(loop, UV_RUN_DEFAULT);  // frees what the watches have left
  return readings == 3 ? 0 : 1;
}
