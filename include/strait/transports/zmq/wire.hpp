#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/posix/gathered.hpp"

namespace strait::detail {

// What travels in a message of libzmq's: a header, and a part of the stream of frames, or nothing.

enum class ZmqKind : std::uint32_t {
  hello = 0x7a68'0001,
  welcome,
  data,
  /// Gives back what the receiver has taken of the sender's credit.
  credit,
  /// The last one.
  bye,
  /// Says nothing: it is sent to see whether the peer is still there.
  probe,
  /// A server asks a client that has said Hello whether it is still there, and the client answers.
  ask,
  answer,
};

struct ZmqHeader {
  ZmqKind kind;
  /// How much credit is given back.
  std::uint32_t credit = 0;
  /// Which of the sender's messages on this connection it is. Each has the next number.
  std::uint64_t number = 0;
};
static_assert(sizeof(ZmqHeader) == 16);

/// What of the stream travels in one message at the most. Memory for a large message of the
/// channel's grows by so much at a time.
inline constexpr std::size_t zmq_part_bytes = (std::size_t{64} << 10) - sizeof(ZmqHeader);

/// A message costs the sender as much credit as it has bytes, but at least so much: the number of
/// messages that are under way is bounded, too.
inline constexpr std::size_t zmq_min_cost = 4096;
constexpr std::size_t zmq_cost(std::size_t bytes) { return (max)(bytes, zmq_min_cost); }

/// How much may be under way in each direction of a link.
inline constexpr std::size_t zmq_credit = std::size_t{1} << 20;

/// How many messages libzmq keeps for a peer in each direction before it stops: more than an honest
/// one ever has under way, with half of them not reported as read yet.
inline constexpr int zmq_queue_limit = 4 * static_cast<int>(zmq_credit / zmq_min_cost);

/// Gathered parts, read as one.
class GatheredReader {
 public:
  explicit GatheredReader(Slice<const os::GatheredPart> parts) : parts_(parts) {
    for (const auto& part : parts) left_ += part.iov_len;
  }

  std::size_t left() const { return left_; }
  /// Fills the room, which is no more than what is left.
  void read(std::span<std::byte> room) {
    left_ -= room.size();
    while (!room.empty()) {
      const auto& part = parts_[0];
      const std::size_t size = (min)(room.size(), part.iov_len - offset_);
      if (size != 0) {
        std::memcpy(room.data(), static_cast<const std::byte*>(part.iov_base) + offset_, size);
      }
      room = room.subspan(size);
      offset_ += size;
      if (offset_ == part.iov_len) {
        parts_ = parts_.subspan(1);
        offset_ = 0;
      }
    }
  }

 private:
  Slice<const os::GatheredPart> parts_;
  std::size_t offset_ = 0;
  std::size_t left_ = 0;
};

}  // namespace strait::detail
