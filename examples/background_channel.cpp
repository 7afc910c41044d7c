// A channel that lives on a thread of its own: any thread sends, and this program's loop listens.

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <strait/strait.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

struct Count {
  std::uint32_t from;
  std::uint32_t value;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Count>>;
using Proxy = strait::ChannelProxy<Link>;

// Called by the loop below, on its thread.
struct Adder {
  std::uint32_t& sum;
  bool& closed;

  void operator()(const Count& count) { sum += count.value; }
  void on_closed(std::error_code why) {
    std::printf("the end: %s\n", why.message().c_str());
    closed = true;
  }
};

int main() {
  const auto name = "background-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto loop = strait::TaskQueue::create().value();
  std::uint32_t sum = 0;
  bool closed = false;
  auto server =
      Proxy::start(Link::listen(name, token).value(), Adder{sum, closed}, loop->executor()).value();
  auto client = Proxy::start(Link::connect(name, token).value(), [](const Count&) {}).value();

  std::vector<std::thread> workers;
  for (std::uint32_t worker = 0; worker != 4; ++worker) {
    workers.emplace_back([&client, worker] {
      for (std::uint32_t i = 1; i <= 100; ++i) client.send(Count{worker, i}).value();
    });
  }
  for (auto& worker : workers) worker.join();
  client.close();  // what was sent still arrives

  while (!closed) {
    pollfd handle{loop->native_handle(), POLLIN, 0};
    if (::poll(&handle, 1, 5000) <= 0) return 1;
    loop->run();
  }
  std::printf("the sum is %u\n", static_cast<unsigned>(sum));
  return sum == 4 * 5050 ? 0 : 1;
}
