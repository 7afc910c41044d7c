// How do two machines talk? By one template argument, an endpoint, and a token that both have.
//   machine A: zmq_two_machines listen "tcp://*:5555" app.token
//   machine B: zmq_two_machines connect tcp://A:5555 app.token
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/strait.hpp>
#include <strait/transports/zmq.hpp>

using namespace std::chrono_literals;

struct Ping {
  std::uint32_t id;
};
struct Pong {
  std::uint32_t id;
};
using Link = strait::Channel<strait::ZmqTransport, strait::TrivialSerializer<Ping, Pong>>;

void listen(const std::string& endpoint, const strait::Token& token) {
  auto link = Link::listen(endpoint, token).value();
  const auto end = link.run([&](const Ping& ping) { link.send(Pong{ping.id}).value(); });
  std::printf("server: %s\n", end.error().message().c_str());
}

void connect(const std::string& endpoint, const strait::Token& token) {
  auto link = Link::connect(endpoint, token, 5s).value();
  link.send(Ping{7}).value();
  link.wait([](const Pong& pong) { std::printf("client: pong %u\n", pong.id); }, 5s).value();
}

int main(int count, char** arguments) {
  if (count == 4) {
    const std::string path = arguments[3];
    const auto token = strait::Token::load_or_create(path).value();
    std::string(arguments[1]) == "listen" ? listen(arguments[2], token)
                                          : connect(arguments[2], token);
    return 0;
  }
  // Without arguments, both on this one.
  const auto token = strait::Token::generate().value();
  const auto endpoint = "tcp://127.0.0.1:" + std::to_string(10'000 + ::getpid() % 20'000);
  if (::fork() == 0) {
    connect(endpoint, token);
    return 0;
  }
  listen(endpoint, token);
  int status = 0;
  return ::wait(&status) > 0 ? status : 1;
}
