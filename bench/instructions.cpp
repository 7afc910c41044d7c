// What `bench/run instructions` counts: one side sends, the other polls, in one process. The counts
// of two runs differ by the messages alone.

#include <strait/channel.hpp>
#include <strait/mach/linux/ring.hpp>
#include <strait/mach/linux/ring_memory.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace {

struct Message {
  std::uint64_t words[8];
};

/// The sum of what has arrived, so that nothing can be left out.
std::uint64_t through_channel(std::uint64_t messages) {
  using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Message>>;
  auto [sender, receiver] = Link::pair().value();
  std::uint64_t sum = 0;
  const auto listener = [&](const Message& message) { sum += message.words[0]; };
  Message message{};
  for (std::uint64_t i = 0; i != messages; ++i) {
    message.words[0] = i;
    sender.send(message).value();
    receiver.poll(listener).value();
  }
  return sum;
}

/// The same over the ring by itself, which the channel can't be below.
std::uint64_t through_ring(std::uint64_t messages) {
  strait::os::Descriptor file;
  auto memory = strait::linux_mach::RingMemory::create(std::size_t{1} << 20, file).value();
  auto writer = memory.writer(0);
  auto reader = memory.reader();
  std::uint64_t sum = 0;
  Message message{};
  for (std::uint64_t i = 0; i != messages; ++i) {
    message.words[0] = i;
    std::memcpy(writer.reserve(sizeof message).value(), &message, sizeof message);
    writer.stage({sizeof message, 0, 1, 0});
    static_cast<void>(writer.publish());
    const auto header = reader.peek().value();
    Message received;
    std::memcpy(&received, reader.body(), sizeof received);
    static_cast<void>(reader.pop(header));
    sum += received.words[0];
  }
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::string_view way = arguments[1], digits = arguments[2];
  std::uint64_t messages = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), messages);
  const std::uint64_t sum = way == "ring" ? through_ring(messages) : through_channel(messages);
  return sum == messages * (messages - 1) / 2 ? 0 : 1;
}
