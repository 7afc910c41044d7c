// A client is killed: the log says so, a trace shows when, and what the server was sent is played
// once more to the same code, without the client.

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <strait/observers/combined.hpp>
#include <strait/observers/log.hpp>
#include <strait/observers/recorder.hpp>
#include <strait/observers/trace.hpp>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;
struct Key {
  std::uint32_t code;
};
using Messages = strait::TrivialSerializer<Key>;
using Client = strait::Channel<strait::MachTransport<>, Messages>;
using Observer =
    strait::Observers<strait::LogObserver, strait::TraceObserver, strait::RecordingObserver>;
using Server =
    strait::Channel<strait::MachTransport<>, Messages, strait::ChannelOptions{}, Observer>;

struct Editor {
  std::uint32_t sum = 0;
  void operator()(const Key& key) { sum += key.code; }
};

int main() {
  ::setenv("STRAIT_LOG", "info", 0);  // for `STRAIT_LOG=info observing`; `debug` shows each message
  const auto name = "observing-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  if (::fork() == 0) {
    auto link = Client::connect(name, token, 5s).value();
    for (std::uint32_t code = 1; code <= 3; ++code) link.send(Key{code}).value();
    link.flush(5s).value();
    ::kill(::getpid(), SIGKILL);
  }
  const std::string path = "/tmp/strait-" + name;
  Editor live, again;
  {
    auto trace = strait::TraceObserver::create(path + ".json").value();  // for ui.perfetto.dev
    auto recorder = strait::RecordingObserver::create<Messages>(path + ".rec").value();
    auto link = Server::listen(name, token, {strait::LogObserver(), trace, recorder}).value();
    static_cast<void>(link.run(live));  // the observers hear how it ends
  }
  auto [player, tested] = strait::Channel<strait::LoopbackTransport, Messages>::pair().value();
  strait::replay(path + ".rec", player).value();
  while (tested.poll(again).value() != 0) continue;
  std::printf("live %u, replayed %u\n", live.sum, again.sum);
  for (const char* end : {".json", ".rec"}) ::unlink((path + end).c_str());
  return ::wait(nullptr) > 0 && live.sum == 6 && again.sum == 6 ? 0 : 1;
}
