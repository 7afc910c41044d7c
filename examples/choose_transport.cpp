// The same code over every transport: one template argument says which. What a type can't do is
// found out by the compiler; what it does not use costs nothing.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <strait/strait.hpp>
#include <strait/transports/loopback.hpp>
#include <string>
#include <thread>

using namespace std::chrono_literals;

struct Square {
  std::int64_t number;
};
struct Answer {
  std::int64_t number;
};

template <class Transport>
bool ask(const char* what) {
  using Link = strait::Channel<Transport, strait::TrivialSerializer<Square, Answer>>;
  const auto name = "choose-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto server = Link::listen(name, token).value();
  std::thread serving([&] {
    const auto end = server.run([&](const Square& question) {
      server.send(Answer{question.number * question.number}).value();
    });
    if (end.error() != strait::Errc::peer_closed) std::puts(end.error().message().c_str());
  });

  std::int64_t answer = 0;
  {
    auto client = Link::connect(name, token, 5s).value();
    client.send(Square{12}).value();
    client.wait([&](const Answer& message) { answer = message.number; }, 5s).value();
  }  // the server's run ends with the client
  serving.join();
  std::printf("%-34s 12 * 12 = %lld\n", what, static_cast<long long>(answer));
  return answer == 144;
}

int main() {
  using namespace strait;
  const bool all = ask<MachTransport<>>("MachTransport") &&
                   ask<MachTransport<InlineOnly, Block>>("MachTransport, inline, sleeping") &&
                   ask<MachTransport<OolThreshold<4096>, Spin>>("MachTransport, spinning") &&
                   ask<PipeTransport>("PipeTransport") &&
                   ask<LoopbackTransport>("LoopbackTransport");
  return all ? 0 : 1;
}
