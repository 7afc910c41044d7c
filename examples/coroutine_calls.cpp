// Calls by co_await, without a library: a service, and clients that ask it, each a coroutine.

#include <chrono>
#include <cstdio>
#include <utility>
#include <variant>
#include <vector>

#include <strait/answering.hpp>
#include <strait/loops/coroutine/calls.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;
struct Divide {
  int number, by;
};
struct Quotient {
  int value;
};
/// An error of one's own is a reply like another.
struct DividedByZero {};
using Reply = std::variant<Quotient, DividedByZero>;
using Messages = strait::TrivialSerializer<Divide, Quotient, DividedByZero>;
using Link = strait::Channel<strait::SocketTransport, strait::Calls<Messages>>;

// Answers one client with what is returned, until it has gone.
strait::Task<> serve(strait::PollLoop& loop, Link link) {
  strait::Receiver receiver(loop, link);
  const auto divide = [](const Divide& asked) -> Reply {
    if (asked.by == 0) return DividedByZero();
    return Quotient{asked.number / asked.by};
  };
  while (co_await receiver.receive(strait::answering(link, divide))) {
  }
}

strait::Task<int> ask(strait::PollLoop& loop, Link link, int by) {
  strait::LoopCaller caller(loop, std::move(link));
  const auto reply = (co_await caller.call<Reply>(Divide{12, by}, 5s)).value();
  if (const auto* const quotient = std::get_if<Quotient>(&reply)) {
    std::printf("12 / %d is %d\n", by, quotient->value);
    co_return quotient->value;
  }
  std::printf("12 / %d is no number\n", by);
  co_return -1;
}

int main() {
  strait::PollLoop loop;
  std::vector<strait::Task<>> services;
  std::vector<strait::Task<int>> clients;
  for (int by = 0; by != 4; ++by) {
    auto [client, server] = Link::pair().value();
    services.push_back(serve(loop, std::move(server)));
    clients.push_back(ask(loop, std::move(client), by));
  }
  loop.run().value();  // until nothing is waited for
  return clients[0].result() == -1 && clients[3].result() == 4 ? 0 : 1;
}
