// A channel in a loop of your own, beside other descriptors: when its handle is readable, call
// poll.

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <strait/strait.hpp>
#include <string>

struct Tick {
  std::uint32_t count;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Tick>>;

int main() {
  const auto name = "loop-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();

  // The handles stay the same as long as the channels live.
  pollfd handles[] = {{server.native_handle(), POLLIN, 0}, {client.native_handle(), POLLIN, 0}};
  client.send(Tick{0}).value();
  bool done = false;
  const auto answer_with = [&](Link& link) {
    return [&](const Tick& tick) {
      std::printf("tick %u\n", static_cast<unsigned>(tick.count));
      done = tick.count == 10;
      link.send(Tick{tick.count + 1}).value();
    };
  };
  // The first poll of the client finds the server's answer when the server had its turn.
  while (!done) {
    if (::poll(handles, 2, 5000) <= 0) return 1;
    if (handles[0].revents != 0 && !server.poll(answer_with(server))) return 1;
    if (handles[1].revents != 0 && !client.poll(answer_with(client))) return 1;
  }
  return 0;
}
