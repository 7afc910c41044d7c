// A server and its client, two coroutines in one thread. Each reads like a program of its own.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/loops/coroutine.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Number {
  std::uint32_t value;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Number>>;
using Loop = strait::PollLoop;

// Answers each number with its square until the client has gone.
strait::Task<> serve(Loop& loop, strait::ChannelServer<Link>& server) {
  auto link = (co_await strait::accept(loop, server)).value();
  strait::Receiver receiver(loop, link);
  for (;;) {
    const auto number = co_await receiver.next();
    if (!number) {
      std::printf("server: %s\n", number.error().message().c_str());
      break;
    }
    link.send(Number{number->value * number->value}).value();
  }
}

strait::Task<bool> ask(Loop& loop, std::string name, strait::Token token) {
  auto link = (co_await strait::connect<Link>(loop, name, token, 5s)).value();
  strait::Receiver receiver(loop, link);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    link.send(Number{i}).value();
    const auto square = co_await receiver.next_for(5s);
    if (!square) co_return false;
    std::printf("client: %u\n", static_cast<unsigned>(square->value));
    (co_await strait::sleep_for(loop, 1ms)).value();
  }
  co_return true;
}

int main() {
  const auto name = "coroutine-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = strait::ChannelServer<Link>::listen(name, token).value();

  Loop loop;
  auto serving = serve(loop, server);
  auto asking = ask(loop, name, token);
  loop.run().value();  // until nothing is waited for
  serving.result();
  return asking.result() ? 0 : 1;
}
