#pragma once

#include <zmq.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/result.hpp"
#include "strait/transports/zmq/link_state.hpp"
#include "strait/transports/zmq/message.hpp"
#include "strait/transports/zmq/wire.hpp"

namespace strait::detail {

/// Sends a message whose front is room for the header, as the link's next one. `routed`: by a
/// ROUTER, which is told the link's peer first.
///
/// Errors: `peer_closed`; `malformed` when the peer does not take what it gave credit for.
inline Result<void> send_frame(ZmqSocket& socket, bool routed, ZmqLinkState& link, ZmqKind kind,
                               ZmqMessage& message, std::size_t credit = 0) {
  const ZmqHeader header{kind, static_cast<std::uint32_t>(credit), link.next_out};
  std::memcpy(message.data(), &header, sizeof header);
  Result<void> sent;
  if (routed) sent = socket.send(link.routing_id, ZMQ_SNDMORE);
  if (sent) sent = socket.send(message);
  if (sent) {
    ++link.next_out;
    return {};
  }
  // An honest peer has taken what it gave credit for, so libzmq has room as long as it has a
  // connection; a DEALER does not say which it is that it lacks.
  const bool full = sent.failed_with(Errc::would_block) && routed;
  return full ? Errc::malformed : Errc::peer_closed;
}

/// The same with a copy of these bytes. Errors: also `not_enough_memory`.
inline Result<void> send_frame(ZmqSocket& socket, bool routed, ZmqLinkState& link, ZmqKind kind,
                               std::span<const std::byte> bytes) {
  ZmqMessage message(sizeof(ZmqHeader) + bytes.size());
  if (message.size() == 0) return no_memory();
  if (!bytes.empty()) std::memcpy(message.data() + sizeof(ZmqHeader), bytes.data(), bytes.size());
  return send_frame(socket, routed, link, kind, message);
}

}  // namespace strait::detail
