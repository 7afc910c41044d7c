// Built with -Wall and full of warnings, which are this user's business and must stay warnings.
#include <strait/strait.hpp>
#include <strait/transports/loopback.hpp>

static_assert(__cplusplus >= 202002L, "the target brings C++20 along");

struct Ping {
  int number;
};

using Link = strait::Channel<strait::LoopbackTransport, strait::TrivialSerializer<Ping>>;

int main(int argc, char**) {
  int unused;
  unsigned char narrowed = argc;
  auto [left, right] = Link::pair().value();
  left.send(Ping{41 + argc}).value();
  int received = 0;
  right.poll([&](const Ping& ping) { received = ping.number; }).value();
  return received == 42 && narrowed == 1 ? 0 : 1;
}
