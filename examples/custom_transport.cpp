// How do I change what a transport does? By one of your own: the one in counted_transport.hpp wraps
// another and counts what comes in. Its comments are the numbers of the contract in transport.hpp.
#include <strait/strait.hpp>

#include <cstdio>
#include <string>

#include "counted_transport.hpp"

int main() {
  using Transport = CountedTransport<strait::SocketTransport>;
  using Link = strait::Channel<Transport, strait::RawSerializer>;
  const auto token = strait::Token::generate().value();
  const auto name = "counted-" + token.to_hex().substr(0, 16);
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();

  for (int i = 0; i != 3; ++i) client.send(std::string("0123456789")).value();
  // In one process the two sides take turns: the server lets the client in, which then sends.
  const auto ignore = [](std::span<const std::byte>) {};
  server.poll(ignore).value();
  client.poll(ignore).value();
  while (Transport::messages != 3) server.wait(ignore, std::chrono::seconds{5}).value();
  std::printf("%d messages came in, %d bytes\n", static_cast<int>(Transport::messages),
              static_cast<int>(Transport::bytes));
}
