// expect: strait: KeepLast keeps one message at least.
// expect: strait: ChannelOptions::keep_last is one at least.

#include <strait/channel.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#if defined(STRAIT_REJECT) && STRAIT_REJECT == 1
constexpr std::size_t of_a_type = 0;
#else
constexpr std::size_t of_a_type = 1;
#endif
#if defined(STRAIT_REJECT) && STRAIT_REJECT == 2
constexpr std::size_t in_all = 0;
#else
constexpr std::size_t in_all = 1;
#endif

struct Position {
  using queue_policy = strait::KeepLast<of_a_type>;
  int x;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Position>,
                             strait::ChannelOptions{.keep_last = in_all}>;

void tell(Link& link) {
  if (!link.send(Position{1})) link.close();
}
