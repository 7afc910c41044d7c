// expect: strait: the channel's serializer does not know this type of message.
// expect: strait: this type is larger than ChannelOptions::max_message_bytes.

#include <strait/channel.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#include <array>

struct Ping {
  int id;
};
struct Pong {
  int id;
};
struct Large {
  std::array<int, 1000> words;
};

using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping, Large>,
                             strait::ChannelOptions{.max_message_bytes = 1024}>;

strait::Result<void> send(Link& link) {
#if !defined(STRAIT_REJECT)
  return link.send(Ping{1});
#elif STRAIT_REJECT == 1
  return link.send(Pong{1});
#elif STRAIT_REJECT == 2
  return link.send(Large{});
#endif
}
