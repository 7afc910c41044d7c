// Two processes that talk, on a system without fork: a parent, which starts this program once more
// as its child, and the child, which gets name and token over its standard input.

#include <chrono>
#include <cstdint>
#include <cstdio>

#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Ping {
  std::uint32_t id;
};
struct Pong {
  std::uint32_t id;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping, Pong>>;

int child() {
  auto parent = strait::connect_to_parent<Link>().value();
  parent.send(Ping{7}).value();
  const auto print = [](const Pong& pong) {
    std::printf("child: pong %u\n", static_cast<unsigned>(pong.id));
    std::fflush(stdout);
  };
  return parent.wait(print, 5s).value() == 1 ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc > 1) return child();
  auto launched = strait::launch<Link>(argv[0], {"child"}).value();
  Link& link = launched.channel;
  const auto end = link.run([&](const Ping& ping) { link.send(Pong{ping.id}).value(); });
  std::printf("parent: %s\n", end.error().message().c_str());
  return launched.child.wait(5s).value().code;
}
