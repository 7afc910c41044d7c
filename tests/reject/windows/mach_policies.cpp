// What no section can promise is not to be had, and neither is what no pipe carries.
// expect: strait: Windows has no seals, so no region is safe from its sender, and nothing goes out
// expect: strait: this transport has no pairs of connected ends; use SocketTransport or
// expect: strait: rights are os::Descriptor, SharedMemory, Semaphore and Channel over a

#include <strait/channel.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <utility>

#ifndef STRAIT_REJECT
#define STRAIT_REJECT 0
#endif

#if STRAIT_REJECT == 1
using Policy = strait::OolThreshold<4096>;
#else
using Policy = strait::OolThreshold<4096, strait::Loan>;
#endif

using Link = strait::Channel<strait::MachTransport<Policy>, strait::RawSerializer>;

std::size_t look(Link& link) { return link.queued_bytes(); }

void pair() {
#if STRAIT_REJECT == 2
  static_cast<void>(Link::pair());
#endif
}

strait::Result<void> add(strait::Rights& rights, Link& link, strait::os::Descriptor& handle) {
#if STRAIT_REJECT == 3
  return rights.add(std::move(link));
#else
  static_cast<void>(link);
  return rights.add(std::move(handle));
#endif
}
