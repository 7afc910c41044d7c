#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "strait/base/moved_from.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/mach/linux/link_ports.hpp"
#include "strait/mach/linux/service_port.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/socket.hpp"

namespace strait::linux_mach {

/// Makes a link and sends a client its end. The server makes both lanes, so that it takes
/// no descriptor from a client that it does not know yet.
///
/// Errors: those of the system, such as for the lanes' memory; `peer_closed`.
inline Result<LinkPorts> welcome(Request&& request, std::size_t queue_bytes,
                                 std::span<const std::byte> body) {
  const os::PeerSocket client = std::move(request.client);
  auto link = NewLink::create(queue_bytes);
  if (!link) return link.error();
  const auto sent = os::send_packet(client.get(), body, link->far_descriptors());
  if (!sent && os::is_exhaustion(sent.error())) return sent.error();
  // Whatever else it is, the client has brought about, by options of its socket for instance.
  if (!sent) return Errc::peer_closed;
  return std::move(link->ports);
}

inline void refuse(Request&& request, std::span<const std::byte> body) {
  const os::PeerSocket client = std::move(request.client);
  static_cast<void>(os::send_packet(client.get(), body));
}

/// What a server said to a request: with the ports of a link, or why there is none.
struct Answer {
  strait::detail::HandshakeBytes body;
  strait::detail::ResetOnMove<LinkPorts> ports;
};

/// A request that was sent and not answered yet.
class Greeting {
 public:
  /// Errors: those of `sendmsg`, `peer_closed`.
  static Result<Greeting> send(ServiceRight&& server, std::size_t queue_bytes,
                               std::span<const std::byte> body) {
    Greeting greeting;
    greeting.server_ = std::move(server).take_socket();
    greeting.queue_bytes_ = queue_bytes;
    if (auto sent = os::send_packet(greeting.server_.get(), body); !sent) return sent.error();
    return greeting;
  }

  /// Errors: `empty`; `peer_closed`; `malformed`, `bad_region` if what came with it are no lanes of
  /// the size that this side has; `rights_lost`.
  Result<Answer> answer() {
    Answer answer;
    os::DescriptorQueue descriptors;
    const auto size = os::receive_packet(server_.get(), answer.body.room(), descriptors);
    if (!size) {
      return size.error() == Errc::would_block ? make_error_code(Errc::empty) : size.error();
    }
    answer.body.resize(*size);
    if (descriptors.size() == 0) return answer;
    if (descriptors.size() != 3) return Errc::malformed;
    auto ports = LinkPorts::adopt(descriptors);
    if (!ports) return ports.error();
    if (ports->in.queue_bytes() != queue_bytes_ || ports->out.queue_bytes() != queue_bytes_) {
      return Errc::bad_region;
    }
    answer.ports.emplace(std::move(*ports));
    return answer;
  }

  bool readable() const { return os::is_ready(Interest::to_read(server_.get())); }
  bool arm() { return false; }
  bool disarm() { return false; }
  void take_doorbells() {}
  Interest interest() const { return Interest::to_read(server_.get()); }

 private:
  os::PeerSocket server_;
  std::size_t queue_bytes_ = 0;
};

}  // namespace strait::linux_mach
