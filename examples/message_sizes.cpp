// An observer sees every message go by. This one counts sizes and prints them as a histogram.

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <strait/message_size_histogram.hpp>
#include <strait/strait.hpp>
#include <strait/transports/loopback.hpp>
#include <string>
#include <vector>

using Link = strait::Channel<strait::LoopbackTransport, strait::RawSerializer,
                             strait::ChannelOptions{}, strait::MessageSizeHistogram>;

int main() {
  const auto token = strait::Token::generate().value();
  auto receiver = Link::listen("sizes", token).value();
  auto sender = Link::connect("sizes", token).value();
  const auto ignore = [](std::span<const std::byte>) {};
  receiver.poll(ignore).value();
  sender.poll(ignore).value();

  for (std::size_t size = 1; size <= 4096; size += size / 8 + 1) {
    sender.send(std::vector<std::byte>(size)).value();
  }
  receiver.poll(ignore).value();
  std::fputs(receiver.observer().to_string().c_str(), stdout);
  return receiver.observer().count() > 0 ? 0 : 1;
}
