// Channels in systemd's event loop: a service that counts, and ends by SIGTERM as services do.

#include <signal.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/loops/sd_event.hpp>
#include <strait/strait.hpp>

struct Add {
  std::uint32_t amount;
};
struct Total {
  std::uint32_t value;
};
using Link = strait::Channel<strait::SocketTransport, strait::TrivialSerializer<Add, Total>>;

int main() {
  sd_event* event = nullptr;
  if (::sd_event_default(&event) < 0) return 1;
  // The loop takes the signal when no thread does, and ends by it.
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  ::sd_event_add_signal(event, nullptr, SIGTERM, nullptr, nullptr);

  const auto name = "counter-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  std::uint32_t total = 0;
  {
    auto server = strait::Acceptor<Link>::listen(name, token).value();
    const auto count = [&](Link& client, const Add& add) {
      if (!client.send(Total{total += add.amount})) client.close();
    };
    const auto serving = strait::SdEventWatch::start(server, count, event).value();

    // In another process, in earnest.
    auto client = Link::connect(name, token).value();
    const auto print = [](const Total& now) {
      std::printf("the total is %u\n", unsigned{now.value});
      if (now.value == 6) ::kill(::getpid(), SIGTERM);
    };
    const auto asking = strait::SdEventWatch::start(client, print, event).value();
    for (const std::uint32_t amount : {1U, 2U, 3U}) client.send(Add{amount}).value();
    if (::sd_event_loop(event) < 0) return 1;
  }
  ::sd_event_unref(event);
  std::printf("ended by SIGTERM\n");
  return total == 6 ? 0 : 1;
}
