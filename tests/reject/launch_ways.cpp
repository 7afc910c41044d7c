// expect: strait: LoopbackTransport stays in one process; use MachTransport to launch.
// expect: strait: this transport's ends can't be inherited; use ByName, MachTransport or

#include <strait/launch.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/loopback.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>

#if !defined(STRAIT_REJECT)
using Transport = strait::MachTransport<>;
#elif STRAIT_REJECT == 1
using Transport = strait::LoopbackTransport;
#elif STRAIT_REJECT == 2
using Transport = strait::PipeTransport;
#endif

#if defined(STRAIT_REJECT) && STRAIT_REJECT == 1
using How = strait::ByName;
#else
using How = strait::Inherited;
#endif

bool start() {
  using Link = strait::Channel<Transport, strait::RawSerializer>;
  return strait::launch<Link, How>("/bin/true").has_value();
}
