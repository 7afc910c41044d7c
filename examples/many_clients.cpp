// A server with many clients: one name, one loop, and a channel for each of them.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;
struct Add {
  std::int32_t amount;
};
struct Sum {
  std::int32_t total;
};
// Small rings, as there are many: 64 KiB each way instead of 1 MiB.
using Transport = strait::MachTransport<strait::DefaultSendPolicy, strait::Block, 64 << 10>;
using Link = strait::Channel<Transport, strait::TrivialSerializer<Add, Sum>>;
using Server = strait::Acceptor<Link, strait::AcceptorOptions{.max_clients = 100}>;

// An account for each client that is there.
struct Accounts {
  Server& server;
  std::map<strait::ClientId, std::int32_t> totals{};
  int left = 0;

  void on_connected(Link& client) { totals[server.id(client)] = 0; }
  void operator()(Link& client, const Add& add) {
    if (!client.send(Sum{totals[server.id(client)] += add.amount})) client.close();
  }
  void on_closed(Link& client, std::error_code) {
    std::printf("a client leaves with %d\n", static_cast<int>(totals[server.id(client)]));
    totals.erase(server.id(client));
    if (++left == 10) server.stop();
  }
};

int main() {
  const auto name = "sums-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  for (std::int32_t i = 1; i <= 10; ++i) {
    if (::fork() != 0) continue;
    auto link = Link::connect(name, token, 5s).value();
    for (int round = 0; round != 3; ++round) {
      link.send(Add{i}).value();
      if (link.wait([](const Sum&) {}, 5s).value_or(0) != 1) return 1;
    }
    return 0;
  }
  auto server = Server::listen(name, token).value();
  if (!server.run(Accounts{server})) return 1;
  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed += status != 0;
  return failed;
}
