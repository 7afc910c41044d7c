// Calls in Asio coroutines: many under way, each with its own time, beside timers and sockets.

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include <strait/answering.hpp>
#include <strait/loops/asio/calls.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;
using asio::use_awaitable;
struct Add {
  int a, b;
};
struct Sum {
  int value;
};
using Link =
    strait::Channel<strait::SocketTransport, strait::Calls<strait::TrivialSerializer<Add, Sum>>>;

// Answers with what the listener returns, until the caller has gone; a sum of zero never.
asio::awaitable<void> serve(strait::AsioChannel<Link> link) {
  std::vector<strait::Reply<Link>> kept;
  const auto answer = [&](const Add& add, strait::Reply<Link> reply) {
    if (add.a + add.b == 0) return kept.push_back(std::move(reply));
    reply.send(Sum{add.a + add.b}).value();
  };
  try {
    for (;;) co_await link.async_receive(strait::answering(link.channel(), answer), use_awaitable);
  } catch (const std::system_error& end) {
    std::printf("server: %s\n", end.code().message().c_str());
  }
}

asio::awaitable<void> ask(strait::AsioCaller<Link> caller) {
  const Sum sum = co_await caller.async_call<Sum>(Add{1, 2}, 5s, use_awaitable);
  std::printf("1 + 2 is %d\n", sum.value);
  try {
    co_await caller.async_call<Sum>(Add{1, -1}, 50ms, use_awaitable);
  } catch (const std::system_error& error) {
    std::printf("1 - 1: %s\n", error.code().message().c_str());
  }
}

int main() {
  asio::io_context context;
  auto [one, other] = Link::pair().value();
  asio::co_spawn(context, serve({context, std::move(other)}), asio::detached);
  auto asked = asio::co_spawn(context, ask({context, std::move(one)}), asio::use_future);
  context.run();
  asked.get();  // which throws what went wrong
}
