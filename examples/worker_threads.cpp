// Many clients, several threads: one acceptor lets them in and hands them to others, each of which
// serves its own on a thread of its own.

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <strait/strait.hpp>

using namespace std::chrono_literals;
struct Number {
  std::uint32_t value;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Number>>;
using Server = strait::Acceptor<Link>;

// Notes who has come, and leaves to a worker what they say.
struct Reception {
  Server& server;
  std::vector<strait::ClientId> newcomers{};

  void on_connected(Link& client) {
    newcomers.push_back(server.id(client));
    client.stop();
  }
  void operator()(Link&, const Number&) {}
};

int main() {
  const auto name = "squares-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = Server::listen(name, token).value();
  Reception reception{server};
  std::vector<Link> clients;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    clients.push_back(Link::connect(name, token).value());
    clients.back().send(Number{i}).value();
    server.wait(reception, 5s).value();
  }
  Server workers[] = {Server::create().value(), Server::create().value()};  // without names
  for (std::size_t i = 0; i != reception.newcomers.size(); ++i) {
    // While a worker runs: put the channel where it finds it, and `stop` the worker.
    workers[i % 2].adopt(server.release(reception.newcomers[i]).value()).value();
  }
  const auto square = [](Link& to, const Number& n) { to.send(Number{n.value * n.value}).value(); };
  std::thread threads[] = {std::thread([&] { workers[0].run(square).value(); }),
                           std::thread([&] { workers[1].run(square).value(); })};
  const auto print = [](const Number& squared) { std::printf("%u\n", squared.value); };
  for (Link& client : clients) client.wait(print, 5s).value();
  for (Server& worker : workers) worker.stop();
  for (std::thread& thread : threads) thread.join();
}
