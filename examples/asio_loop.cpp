// A server and its client in Asio coroutines, beside whatever else an io_context has.

#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/loops/asio.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;
using asio::use_awaitable;

struct Number {
  std::uint32_t value;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Number>>;

// Answers each number with its square until the client has gone.
asio::awaitable<void> serve(strait::AsioServer<Link> server) {
  auto link = co_await server.async_accept(use_awaitable);
  const auto answer = [&](const Number& number) {
    link->send(Number{number.value * number.value}).value();
  };
  try {
    for (;;) co_await link.async_receive(answer, use_awaitable);
  } catch (const std::system_error& end) {
    std::printf("server: %s\n", end.code().message().c_str());
  }
}

asio::awaitable<void> ask(std::string name, strait::Token token) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto link = co_await strait::async_connect<Link>(executor, name, token, 5s, use_awaitable);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    link->send(Number{i}).value();
    const auto print = [](const Number& square) { std::printf("client: %u\n", square.value); };
    co_await link.async_receive(print, use_awaitable);
  }
}

int main() {
  const auto name = "asio-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  asio::io_context context;
  strait::AsioServer<Link> server(context,
                                  strait::ChannelServer<Link>::listen(name, token).value());
  asio::co_spawn(context, serve(std::move(server)), asio::detached);
  auto asked = asio::co_spawn(context, ask(name, token), asio::use_future);
  context.run();
  asked.get();  // which throws what went wrong
}
