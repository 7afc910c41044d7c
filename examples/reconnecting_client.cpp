// A service that goes and comes again: its client connects anew by itself, and sends again what was
// not acknowledged, so that every entry gets to the log.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/acknowledging.hpp>
#include <strait/reconnecting.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Entry {
  std::uint32_t number;
};
using Messages = strait::TrivialSerializer<Entry>;
using Link = strait::Channel<strait::MachTransport<>, strait::Acknowledged<Messages>>;

// Dies at its third entry, before that is acknowledged: the next one logs it, too.
int serve(const std::string& name, const strait::Token& token) {
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto sessions = strait::Sessions::create().value();
  const auto log = [count = 0](Link&, const Entry& entry) mutable {
    std::printf("process %d logs entry %u\n", static_cast<int>(::getpid()), entry.number);
    if (++count == 3) ::_exit(0);
  };
  return server.run(strait::acknowledging(server, sessions, log)) ? 0 : 1;
}

struct Listener {
  void on_up(Link&) { std::printf("client: the server is there\n"); }
  void on_down(std::error_code why) { std::printf("client: %s\n", why.message().c_str()); }
  void operator()(const Entry&) {}
};

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto name = "log-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  using Client = strait::Reconnecting<Link, strait::Redeliver<>>;
  auto client = Client::connect(name, token).value();
  for (std::uint32_t i = 0; i != 9; ++i) client.send(Entry{i}).value();
  for (int servers = 0; servers != 3; ++servers) {
    if (::fork() == 0) ::_exit(serve(name, token));
    int status = 0;
    while (::waitpid(-1, &status, WNOHANG) == 0) client.wait(Listener(), 10ms).value();
    if (status != 0) return 1;
  }
  client.wait(Listener(), 10ms).value();
  std::printf("client: %zu entries are not acknowledged\n", client.unacknowledged());
  return 0;
}
