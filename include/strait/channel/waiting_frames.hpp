#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/framing/frame_queue.hpp"
#include "strait/memory/byte_buffer.hpp"

namespace strait::detail {

/// The queued frames that newer ones may replace: see `KeepLast`. Of a frame that has left, even in
/// part, or is on its way, it knows nothing any more.
class WaitingFrames {
 public:
  /// Room for one more. False when there is no memory.
  [[nodiscard]] bool reserve() { return frames_.reserve((count_ + 1) * sizeof(Frame)); }

  void clear() { count_ = 0; }

  /// A whole frame begins at this place of the queue's stream. There must be room.
  void add(std::uint64_t position, std::uint16_t tag) { at(count_++) = {position, tag}; }

  /// Takes the oldest frames out of the queue, until there are no more than so many of this tag,
  /// and in all. Returns how many that were.
  std::size_t drop_oldest(FrameQueue& queue, std::uint16_t tag, std::size_t max_of_tag,
                          std::size_t max_in_all) {
    forget_sent(queue);
    std::size_t of_tag = 0;
    for (std::size_t i = 0; i != count_; ++i) of_tag += at(i).tag == tag;
    std::size_t dropped = 0;
    for (std::size_t i = 0; i != count_;) {
      const bool is_of_tag = at(i).tag == tag;
      if (count_ <= max_in_all && (!is_of_tag || of_tag <= max_of_tag)) {
        ++i;
        continue;
      }
      const std::size_t bytes = queue.remove(at(i).position);
      erase(i, 1);
      for (std::size_t later = i; later != count_; ++later) at(later).position -= bytes;
      of_tag -= is_of_tag;
      ++dropped;
    }
    return dropped;
  }

  void forget_sent(const FrameQueue& queue) {
    std::size_t sent = 0;
    while (sent != count_ && at(sent).position < queue.waiting_position()) ++sent;
    // What the queue holds no byte of has left whole.
    if (queue.empty()) sent = count_;
    erase(0, sent);
  }

 private:
  struct Frame {
    std::uint64_t position;
    std::uint16_t tag;
  };

  Frame& at(std::size_t index) { return reinterpret_cast<Frame*>(frames_.data())[index]; }

  void erase(std::size_t first, std::size_t count) {
    if (count == 0) return;
    count_ -= count;
    for (std::size_t i = first; i != count_; ++i) at(i) = at(i + count);
  }

  ByteBuffer frames_;
  std::size_t count_ = 0;
};

}  // namespace strait::detail
