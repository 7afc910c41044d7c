// My server asks its clients: an acceptor of callers, whose clients answer calls like any server.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/answering.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;
struct Square {
  std::int64_t of;
};
struct IsSquare {
  std::int64_t value;
};
using Messages = strait::TrivialSerializer<Square, IsSquare>;
using Link = strait::Channel<strait::MachTransport<>, strait::Calls<Messages>>;
using Worker = strait::Caller<Link>;
using Server = strait::Acceptor<Worker>;

// Gives each worker that comes something to do, and closes it when that is done, or too late.
struct Work {
  Server& server;
  std::int64_t given = 0;
  int done = 0;

  void on_connected(Worker& worker) {
    const auto take = [this, id = server.id(worker)](strait::Result<IsSquare> square) {
      done += square && std::printf("%lld\n", static_cast<long long>(square->value)) > 0 ? 1 : 0;
      if (Worker* const there = server.find(id)) there->close();
    };
    worker.call<IsSquare>(Square{++given}, 5s, take).value();
  }
  void operator()(Worker&, const IsSquare&) {}  // what a worker says unasked
  void on_closed(Worker&, std::error_code) {
    if (server.size() == 1 && given == 3) server.stop();
  }
};

int main() {
  const auto name = "squares-by-workers-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = Server::listen(name, token).value();
  for (int child = 0; child != 3; ++child) {
    if (::fork() != 0) continue;
    auto link = Link::connect(name, token, 5s).value();
    const auto square = [](const Square& asked) { return IsSquare{asked.of * asked.of}; };
    return link.run(strait::answering(link, square)).error() == strait::Errc::peer_closed ? 0 : 1;
  }
  Work work{server};
  server.run(work).value();
  while (::wait(nullptr) > 0) continue;
  return work.done == 3 ? 0 : 1;
}
