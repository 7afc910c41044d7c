// Rights stay on their machine.
// expect: strait: this transport carries bytes only, as a FIFO does; use SocketTransport
// expect: strait: this transport has no pairs of connected ends; use SocketTransport or

#include <strait/channel.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/socket.hpp>
#include <strait/transports/zmq.hpp>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#if !defined(STRAIT_REJECT)
#define STRAIT_REJECT 0
#endif

template <int way>
using Link = strait::Channel<
    std::conditional_t<way == STRAIT_REJECT, strait::ZmqTransport, strait::SocketTransport>,
    strait::RawSerializer>;

strait::Result<void> send(Link<1>& link, strait::Rights&& rights) {
  return link.send(std::array<std::byte, 1>(), std::move(rights));
}

void pair() { static_cast<void>(Link<2>::pair()); }
