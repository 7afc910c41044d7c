// expect: strait: this listener takes none of the channel's message types.
// expect: strait: the listener of a raw channel takes a std::span<const std::byte>.

#include <strait/channel.hpp>
#include <strait/mach_transport.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>

struct Ping {
  int id;
};
struct Pong {
  int id;
};

using Typed = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping>>;
using Raw = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;

void listen([[maybe_unused]] Typed& typed, [[maybe_unused]] Raw& raw) {
#if !defined(STRAIT_REJECT)
  static_cast<void>(typed.poll([](const Ping&) {}));
  static_cast<void>(raw.poll([](std::span<const std::byte>) {}));
#elif STRAIT_REJECT == 1
  static_cast<void>(typed.poll([](const Pong&) {}));
#elif STRAIT_REJECT == 2
  static_cast<void>(raw.poll([](const Ping&) {}));
#endif
}
