#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/peer.hpp"

namespace strait {

/// The limits of a channel, as a template argument: `Channel<T, S, ChannelOptions{...}>`.
struct ChannelOptions {
  static constexpr std::size_t unbounded = SIZE_MAX;

  /// The largest message in either direction. A peer that sends a larger one is cut off.
  std::size_t max_message_bytes = std::size_t{256} << 20;

  /// What `send` may queue while the peer does not read. One message is always taken by an empty
  /// queue, whatever its size.
  std::size_t max_queued_bytes = std::size_t{512} << 20;

  /// How many messages may wait, of whatever types; the oldest are dropped when there are more. See
  /// `KeepLast`, which does the same for one type.
  std::size_t keep_last = unbounded;

  /// How long a peer may take for the whole handshake.
  std::uint32_t handshake_timeout_ms = 5000;

  /// How many clients may be in the middle of the handshake; the oldest goes when one more comes.
  std::uint32_t max_half_open = 16;

  /// How many rights a message may carry in either direction; 127 at the most.
  std::uint32_t max_rights = 64;

  /// Whether an end that has met its peer by a name can be made a right, by `Channel::into_right`.
  /// Ends of `Channel::pair`, and those that came as a right, always can. Over `MachTransport` it
  /// costs two descriptors more for each end.
  bool passable = false;

  PeerPolicy peers = PeerPolicy::same_user;
};

}  // namespace strait
