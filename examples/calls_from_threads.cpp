// Calls from several threads over one channel, answered by a pool of threads on the other side. In
// a program of yours the two sides are two processes.
#include <strait/channel_proxy.hpp>
#include <strait/proxy_calls.hpp>
#include <strait/strait.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <future>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

struct Job {
  std::uint32_t number;
};
struct Done {
  std::uint32_t square;
};
using Link =
    strait::Channel<strait::SocketTransport, strait::Calls<strait::TrivialSerializer<Job, Done>>>;
using Server = strait::ChannelProxy<Link>;

int main() {
  auto [one, other] = Link::pair().value();

  // The listener passes each job on with its reply, which any thread may send.
  std::vector<std::thread> pool;
  auto answer = [&](const Job& job, strait::Reply<Server> reply) {
    pool.emplace_back([number = job.number, reply = std::move(reply)]() mutable {
      reply.send(Done{number * number}).value();
    });
  };
  {
    auto server = Server::start(std::move(one), strait::answering<Server>(answer)).value();
    auto caller = strait::ProxyCaller<Link>::start(std::move(other)).value();
    std::vector<std::thread> callers;
    for (std::uint32_t i = 1; i <= 3; ++i) {
      callers.emplace_back([&caller, i] {
        std::promise<strait::Result<Done>> done;
        const auto keep = [&](strait::Result<Done> result) { done.set_value(result); };
        caller.call<Done>(Job{i}, 5s, keep).value();
        std::printf("the square of %u is %u\n", i, done.get_future().get().value().square);
      });
    }
    for (auto& thread : callers) thread.join();
  }  // from here on the listener is not running
  for (auto& thread : pool) thread.join();
}
