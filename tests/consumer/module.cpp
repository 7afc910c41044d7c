// As main.cpp, with the module; and what else of its names only a program that uses them can tell.
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

import strait;

struct Ping {
  int number;
};
struct Words {
  std::vector<std::string> words;
};

using Link = strait::Channel<strait::LoopbackTransport, strait::TrivialSerializer<Ping>>;
static_assert(std::is_move_constructible_v<Link>);
static_assert(strait::Transport<strait::SocketTransport>);
static_assert(strait::MachKernel<strait::NativeMachKernel>);

/// Structs with parts, over a link that breaks when it is told to.
bool breaks_as_told() {
  using Faulty = strait::Channel<strait::FaultyTransport<strait::LoopbackTransport>,
                                 strait::StructSerializer<Words>>;
  auto script = strait::FaultScript::for_next_link();
  auto [left, right] = Faulty::pair().value();
  left.send(Words{{"one", "two"}}).value();
  std::size_t words = 0;
  right.poll([&](const Words& came) { words = came.words.size(); }).value();
  script.after_sent(1, strait::faults::Close{});
  const std::error_code why = left.poll([](const Words&) {}).error();
  return words == 2 && why == strait::Errc::peer_closed &&
         strait::errc(why) == strait::Errc::peer_closed;
}

int main() {
  auto [left, right] = Link::pair().value();
  left.send(Ping{42}).value();
  int received = 0;
  right.poll([&](const Ping& ping) { received = ping.number; }).value();
  const bool all = received == 42 && right.poll([](const Ping&) {}).value() == 0;
  return all && breaks_as_told() ? 0 : 1;
}
