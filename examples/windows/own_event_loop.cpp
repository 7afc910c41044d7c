// A channel in a loop of your own, beside other handles: when its handle is set, call poll.

#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/strait.hpp>

struct Tick {
  std::uint32_t count;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Tick>>;

int main() {
  const auto name = "loop-" + std::to_string(::GetCurrentProcessId());
  const auto token = strait::Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();

  // The handles stay the same as long as the channels live. Each is set until a poll has taken what
  // there was, so that the first one of them never keeps the system from telling of the other.
  const HANDLE handles[] = {server.native_handle(), client.native_handle()};
  client.send(Tick{0}).value();
  bool done = false;
  const auto answer_with = [&](Link& link) {
    return [&](const Tick& tick) {
      std::printf("tick %u\n", static_cast<unsigned>(tick.count));
      done = tick.count == 10;
      link.send(Tick{tick.count + 1}).value();
    };
  };
  while (!done) {
    const DWORD set = ::WaitForMultipleObjects(2, handles, FALSE, 5000);
    if (set != WAIT_OBJECT_0 && set != WAIT_OBJECT_0 + 1) return 1;
    Link& link = set == WAIT_OBJECT_0 ? server : client;
    if (!link.poll(answer_with(link))) return 1;
  }
  return 0;
}
