// expect: strait: this kernel has no out-of-line memory; use InlineOnly.
// expect: strait: a port's queue is a power of two of at least 16 KiB.
// expect: strait: an out-of-line region has at least one byte.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include "support/archetypes.hpp"

using strait::BasicMachTransport;
using strait::InlineOnly;
using strait::OolThreshold;
using strait::Spin;
using strait_test::LeastKernel;

#if !defined(STRAIT_REJECT)
using Transport = BasicMachTransport<LeastKernel, InlineOnly>;
#elif STRAIT_REJECT == 1
using Transport = BasicMachTransport<LeastKernel, OolThreshold<4096>>;
#elif STRAIT_REJECT == 2
using Transport = BasicMachTransport<LeastKernel, InlineOnly, Spin, 3 * 16384>;
#elif STRAIT_REJECT == 3
using Transport = strait::MachTransport<OolThreshold<0>>;
#endif

using Link = strait::Channel<Transport, strait::RawSerializer>;

std::size_t look(Link& link) { return link.queued_bytes(); }
