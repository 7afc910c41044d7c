// expect: strait: look whether it failed, or cast it to void.
// expect: strait: look whether it failed, or cast it to void.

#include <strait/channel.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#pragma GCC diagnostic error "-Wunused-result"

struct Ping {
  int id;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping>>;

void ping(Link& link) {
#if !defined(STRAIT_REJECT)
  if (!link.send(Ping{1})) link.close();
  static_cast<void>(link.flush(std::chrono::milliseconds{1}));
#elif STRAIT_REJECT == 1
  link.poll([](const Ping&) {});
#elif STRAIT_REJECT == 2
  link.out_of_line<Ping>();
#endif
}
