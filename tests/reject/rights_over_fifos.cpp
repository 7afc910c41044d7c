// Rights go where the transport can carry them: not over FIFOs, not over a bridge.
// expect: strait: this transport carries bytes only, as a FIFO does; use SocketTransport
// expect: strait: this transport has no pairs of connected ends; use SocketTransport or
// expect: strait: rights are os::Descriptor, SharedMemory, Semaphore and Channel over a
// expect: strait: a right is given away: add(std::move(right)).
// expect: strait: this transport carries bytes only, as a FIFO does; use SocketTransport
// expect: strait: this transport carries bytes only, as a FIFO does; use SocketTransport

#include <strait/channel.hpp>
#include <strait/channel_proxy.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/bridged.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <array>
#include <cstddef>
#include <utility>

#if !defined(STRAIT_REJECT)
#define STRAIT_REJECT 0
#endif

using Plain = strait::Channel<strait::PipeTransport, strait::RawSerializer>;
using Carrying = strait::Channel<strait::SocketTransport, strait::RawSerializer>;

#if STRAIT_REJECT == 1
using Sending = Plain;
#elif STRAIT_REJECT == 5
using Sending =
    strait::Channel<strait::BridgedTransport<strait::SocketTransport>, strait::RawSerializer>;
#elif STRAIT_REJECT == 6
using Sending = strait::ChannelProxy<Plain>;
#else
using Sending = Carrying;
#endif

#if STRAIT_REJECT == 2
using Paired = Plain;
#else
using Paired = Carrying;
#endif

#if STRAIT_REJECT == 3
using Travelling = Plain;
#else
using Travelling = Carrying;
#endif

strait::Result<void> send(Sending& link, strait::Rights&& rights) {
  return link.send(std::array<std::byte, 1>(), std::move(rights));
}

void pair() { static_cast<void>(Paired::pair()); }

strait::Result<void> add(strait::Rights& rights, Travelling&& end) {
  return rights.add(std::move(end));
}

strait::Result<void> add(strait::Rights& rights, strait::os::Descriptor& file) {
#if STRAIT_REJECT == 4
  return rights.add(file);
#else
  return rights.add(std::move(file));
#endif
}
