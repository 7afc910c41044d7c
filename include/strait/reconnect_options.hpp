#pragma once

#include <cstddef>
#include <cstdint>

namespace strait {

/// How a `Reconnecting` client tries again.
struct ReconnectOptions {
  /// The first pause, and the one at which they stop to double.
  std::uint32_t shortest_pause_ms = 10;
  std::uint32_t longest_pause_ms = 5000;
};

/// What was sent when a server goes is lost, and nothing can be sent until it is there again. The
/// default, which costs nothing.
struct NoRedelivery {};

/// Messages are kept until the server has acknowledged them, and those that it has not are sent
/// again when it, or another one, is there. Needs an `Acknowledged` serializer, and `acknowledging`
/// on the server's side.
///
/// What is promised, as long as this object lives:
///
///   - Every message is handled by some instance of the server, at least once.
///   - No instance handles a message twice. An instance that was killed between handling one and
///     acknowledging it has a successor that handles it, too.
///   - Each instance handles the messages in the order in which they were sent, without a gap.
///
/// An instance is one `Sessions` object. The one exception to the first: an instance that has
/// forgotten this client (`Sessions::create`) can't tell which of the messages that it was sent it
/// has handled. They are not sent again, and `on_unknown` says how many they are.
///
/// `max_bytes` is a bound on what is kept; one message is always taken. Costs eight bytes a message
/// and an acknowledgement in return, and a copy of it in memory.
template <std::size_t max_bytes = (std::size_t{64} << 20)>
struct Redeliver {};

}  // namespace strait
