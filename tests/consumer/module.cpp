// As main.cpp, with the module.
#include <type_traits>

import strait;

struct Ping {
  int number;
};

using Link = strait::Channel<strait::LoopbackTransport, strait::TrivialSerializer<Ping>>;
static_assert(std::is_move_constructible_v<Link>);

int main() {
  auto [left, right] = Link::pair().value();
  left.send(Ping{42}).value();
  int received = 0;
  right.poll([&](const Ping& ping) { received = ping.number; }).value();
  return received == 42 && right.poll([](const Ping&) {}).value() == 0 ? 0 : 1;
}
