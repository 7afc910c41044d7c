#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/shared.hpp"
#include "strait/mach/linux/lane.hpp"
#include "strait/mach/linux/link_socket.hpp"
#include "strait/os/close_unseen.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/socket.hpp"

namespace strait::linux_mach {

/// Where the former owner of a link's ports was.
struct LinkPositions {
  std::uint64_t read = 0;
  std::uint64_t write = 0;
};

/// The two ports of a link: the ends of its two lanes that are on one side.
struct LinkPorts {
  ReceiveRight in;
  SendRight out;

  /// The ports that a peer made, of the next three of the descriptors that it sent: the socket, and
  /// the memory of the lanes to receive from and to send to.
  ///
  /// Errors: `malformed`, `bad_region` if they are something else; nothing was asked of them that
  /// could take long, and closing what is left won't.
  static Result<LinkPorts> adopt(os::DescriptorQueue& descriptors, LinkPositions positions = {});

  /// Errors: as `adopt`, for memory that is no lane's.
  static Result<LinkPorts> join(os::PeerSocket socket, os::Descriptor to_receive,
                                os::Descriptor to_send, LinkPositions positions = {});
};

/// Whether a descriptor that a peer sent can be the socket of a link.
inline bool is_link_socket(const os::Descriptor& socket) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
         type == SOCK_SEQPACKET;
}

inline Result<LinkPorts> LinkPorts::adopt(os::DescriptorQueue& descriptors,
                                          LinkPositions positions) {
  os::UnseenDescriptor socket = descriptors.pop();
  os::UnseenDescriptor to_receive = descriptors.pop();
  os::UnseenDescriptor to_send = descriptors.pop();
  if (!is_link_socket(socket)) return Errc::malformed;
  if (!os::closes_at_once(to_receive.get()) || !os::closes_at_once(to_send.get())) {
    return Errc::bad_region;
  }
  return join(os::PeerSocket(std::move(socket)), std::move(to_receive), std::move(to_send),
              positions);
}

inline Result<LinkPorts> LinkPorts::join(os::PeerSocket socket, os::Descriptor to_receive,
                                         os::Descriptor to_send, LinkPositions positions) {
  const auto shared = LinkSocket::create(std::move(socket));
  if (!shared) return shared.error();
  auto in = ReceiveRight::adopt(*shared, std::move(to_receive), positions.read);
  if (!in) return in.error();
  auto out = SendRight::adopt(*shared, std::move(to_send), positions.write);
  if (!out) return out.error();
  return LinkPorts{std::move(*in), std::move(*out)};
}

/// A new link. This side keeps no copy of the other's socket once that is handed over, so that the
/// link ends with the process that has it.
struct NewLink {
  LinkPorts ports;
  os::Descriptor far_socket;

  /// Errors: those of the system.
  static Result<NewLink> create(std::size_t queue_bytes) {
    auto sockets = os::socket_pair(SOCK_SEQPACKET);
    if (!sockets) return sockets.error();
    const auto shared = LinkSocket::create(os::PeerSocket(std::move((*sockets)[0])));
    if (!shared) return shared.error();
    auto in = ReceiveRight::create(*shared, queue_bytes);
    if (!in) return in.error();
    auto out = SendRight::create(*shared, queue_bytes);
    if (!out) return out.error();
    return NewLink{{std::move(*in), std::move(*out)}, std::move((*sockets)[1])};
  }

  /// What `LinkPorts::adopt` needs at the other side, in its order.
  std::array<int, 3> far_descriptors() const {
    return {far_socket.get(), ports.out.memory_file().get(), ports.in.memory_file().get()};
  }
};

/// Two links connected to each other.
///
/// Errors: those of the system.
inline Result<std::pair<LinkPorts, LinkPorts>> link_pair(std::size_t queue_bytes) {
  auto made = NewLink::create(queue_bytes);
  if (!made) return made.error();
  auto to_receive = os::duplicate(made->ports.out.memory_file().get());
  auto to_send = os::duplicate(made->ports.in.memory_file().get());
  if (!to_receive || !to_send) return os::last_error();
  auto ports = LinkPorts::join(os::PeerSocket(std::move(made->far_socket)), std::move(to_receive),
                               std::move(to_send));
  if (!ports) return ports.error();
  return std::pair(std::move(made->ports), std::move(*ports));
}

}  // namespace strait::linux_mach
