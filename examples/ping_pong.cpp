// Two processes, one token, one message each way. The parent serves, the child calls.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Ping {
  std::uint32_t id;
};
struct Pong {
  std::uint32_t id;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping, Pong>>;

int main() {
  const auto name = "ping-pong-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();

  if (::fork() != 0) {  // the parent: a server
    auto link = Link::listen(name, token).value();
    const auto end = link.run([&](const Ping& ping) { link.send(Pong{ping.id}).value(); });
    std::printf("server: %s\n", end.error().message().c_str());

  } else {  // the child: its client, which waits for the server to appear
    auto link = Link::connect(name, token, 5s).value();
    link.send(Ping{7}).value();
    link.wait([](const Pong& pong) { std::printf("client: pong %u\n", pong.id); }, 5s).value();
    return 0;
  }

  int status = 0;
  return ::wait(&status) > 0 ? status : 1;
}
