// expect: strait: this type of message is not sent as it lies in memory, so it can't lie out of line.
// expect: strait: this listener takes none of the channel's message types.

// Views would still point to where the sender had them.

#include <strait/channel.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/transports/mach.hpp>

struct Plain {
  int value = 0;
};
struct View {
  std::string_view text;
};
using Link = strait::Channel<strait::MachTransport<>, strait::StructSerializer<Plain, View>>;

auto make(Link& link) {
#if STRAIT_REJECT == 1
  return link.out_of_line<View>();
#else
  return link.out_of_line<Plain>();
#endif
}

auto look(Link& link) {
#if STRAIT_REJECT == 2
  return link.poll([](strait::OutOfLine<View>) {});
#else
  return link.poll([](strait::OutOfLine<Plain>) {});
#endif
}
