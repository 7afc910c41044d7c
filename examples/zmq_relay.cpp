// How does a program that knows only channels of its own machine reach another one? By a gateway,
// which joins a local channel to a remote one and looks into no message.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include <strait/strait.hpp>
#include <strait/transports/zmq.hpp>

using namespace std::chrono_literals;
using Bytes = std::span<const std::byte>;
using Local = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;
using Remote = strait::Channel<strait::ZmqTransport, strait::RawSerializer>;

/// Passes messages on both ways until one side ends.
template <class A, class B>
std::error_code relay(A& a, B& b) {
  // A side that has no room holds up the other one, instead of a queue that grows.
  const auto pass_to = [](auto& to) {
    return [&to](Bytes message) {
      while (to.send(message).error() == strait::Errc::queue_full) {
        static_cast<void>(to.flush(1s));
      }
    };
  };
  for (;;) {
    pollfd ends[] = {{a.native_handle().value(), POLLIN, 0},
                     {b.native_handle().value(), POLLIN, 0}};
    ::poll(ends, 2, -1);
    if (const auto polled = a.poll(pass_to(b)); !polled) return polled.error();
    if (const auto polled = b.poll(pass_to(a)); !polled) return polled.error();
  }
}

int main() {
  const auto token = strait::Token::generate().value();
  const std::string name = "relay-" + std::to_string(::getpid());
  const auto endpoint = "tcp://127.0.0.1:" + std::to_string(10'000 + ::getpid() % 20'000);

  std::thread far([&] {  // on another machine: answers in its own words
    auto server = Remote::listen(endpoint, token).value();
    static_cast<void>(server.run([&](Bytes) { server.send(std::string("far away")).value(); }));
  });
  std::thread gateway([&] {
    auto local = Local::listen(name, token).value();
    auto remote = Remote::connect(endpoint, token, 5s).value();
    std::printf("gateway: %s\n", relay(local, remote).message().c_str());
  });

  auto client = Local::connect(name, token, 5s).value();  // knows nothing of networks
  client.send(std::string("hello")).value();
  const auto print = [](Bytes answer) { std::printf("client: %d bytes\n", int(answer.size())); };
  while (client.wait(print, 5s).value() == 0) continue;
  client.close();
  gateway.join();
  far.join();
}
