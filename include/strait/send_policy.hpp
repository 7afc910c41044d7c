#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/fwd.hpp"

namespace strait {

/// Never out of line: large messages travel in fragments.
///
/// Cost: two copies of every byte, which overlap. The default, and the cheapest way for whatever is
/// sent once, at every size (bench/README.md).
struct InlineOnly {
  static constexpr std::size_t threshold_bytes = SIZE_MAX;
  using method = void;
};

/// How a message travels out of line: see `OolThreshold`.
///
/// The payload becomes a region that the kernel keeps from changing; the receiver maps it
/// privately. Safe against a hostile sender. Not on Windows, whose kernel keeps none so.
struct CopyOnWrite {};

/// How a message travels out of line: see `OolThreshold`.
///
/// The payload lies in a segment of shared memory, out of a pool that both sides have mapped, and
/// the receiver gives it back when it has read it: no system call, no page fault, no copy, whatever
/// the size. For peers that cooperate: the sender can change what the receiver reads. The pool of a
/// direction grows on demand up to `MaxBytes` and never shrinks; what it has no room for travels
/// inline.
///
/// `Acceptor::send_all` lends one segment to all: the message is written once, each receiver reads
/// it in place and none can write it. It is the sender's again when all have given it back. One
/// that keeps it, or dies with it, takes it from the pool alone, which goes on with another one:
/// each receiver has 32 segments and `MaxBytes` at the most, and beyond that its messages travel
/// inline. The pool has twice as much, and a descriptor for each segment. On Linux from 5.1 on;
/// elsewhere each receiver is lent a copy of its own.
template <std::size_t MaxBytes>
struct LoanUpTo {
  static constexpr std::size_t max_bytes = MaxBytes;
};

/// Out of line from `Bytes` up, inline below.
///
/// Cost out of line by copy-on-write: one region of memory made, filled and mapped; the receiver
/// copies nothing. For a message type of fixed size the choice is made when the program is
/// compiled; the way not taken is not part of it.
template <std::size_t Bytes, class Method>
struct OolThreshold {
  static constexpr std::size_t threshold_bytes = Bytes;
  using method = Method;
};

/// What becomes of messages that wait for room, or for the peer, while newer ones are sent: all of
/// them wait, up to `ChannelOptions::max_queued_bytes`. The default.
struct KeepAll {
  static constexpr std::size_t max_waiting = SIZE_MAX;
};

/// No more than the last `Messages` of this type wait, and older ones are dropped: for what is of
/// no use when it is late, such as frames of a camera or the value of a sensor. The order stays
/// that in which messages were sent. What has left, even in part, is not dropped, nor is what is
/// under way out of line.
///
/// Cost: so many such messages may be queued beside what `max_queued_bytes` bounds, for none is
/// ever refused as `queue_full`. They count in `queued_bytes`. What finds no room out of line
/// travels inline. An observer's `on_conflated` counts what was dropped.
///
/// Choose it for a type by `using queue_policy = strait::KeepLast<n>;` in it, or, where the type is
/// not yours, by a specialization of `strait::QueuePolicy`; for all messages of a channel together
/// by `ChannelOptions::keep_last`.
template <std::size_t Messages>
struct KeepLast {
  static_assert(Messages != 0, "strait: KeepLast keeps one message at least.");
  static constexpr std::size_t max_waiting = Messages;
};

/// Only the latest waits.
using Conflate = KeepLast<1>;

/// Which of these a type of message has: `template <> struct strait::QueuePolicy<Frame> :
/// strait::Conflate {};`.
template <class Message>
struct QueuePolicy : KeepAll {};
template <class Message>
  requires requires { typename Message::queue_policy; }
struct QueuePolicy<Message> : Message::queue_policy {};

namespace detail {

template <class Message>
inline constexpr std::size_t max_waiting_of = QueuePolicy<Message>::max_waiting;

}  // namespace detail
}  // namespace strait
