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
  std::uint64_t id;
};
struct Pong {
  std::uint64_t id;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping, Pong>>;

int main() {
  const auto name = "ping-pong-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();

  if (const pid_t child = ::fork(); child != 0) {  // the server
    auto link = Link::listen(name, token).value();
    const auto ended = link.run([&](const Ping& ping) { link.send(Pong{ping.id}); });
    std::printf("server: %s\n", ended.error().message().c_str());
    int status = 0;
    return ::waitpid(child, &status, 0) == child ? status : 1;
  }

  auto link = Link::connect(name, token, 5s).value();  // the client, with patience
  link.send(Ping{7});
  const auto heard = link.wait(
      [](const Pong& pong) {
        std::printf("client: pong %llu\n", static_cast<unsigned long long>(pong.id));
      },
      5s);
  return heard.value_or(0) == 1 ? 0 : 1;
}
