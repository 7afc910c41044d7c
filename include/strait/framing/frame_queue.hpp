#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/os/gathered.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::detail {

/// What stands before every message in a byte stream and in a queue. Host byte order: both ends are
/// on one machine.
struct FrameHeader {
  std::uint32_t bytes;
  std::uint16_t tag;
  /// In a queue only: the front part of the message has left already. On the wire always 0.
  std::uint8_t continued = 0;
  /// How many rights travel with the message: with its first byte, where the wire is a socket.
  std::uint8_t rights = 0;
};
static_assert(sizeof(FrameHeader) == 8);

/// Messages waiting to be sent, oldest first, as frames that lie one behind the other in blocks of
/// memory: a stream transport writes whole blocks, others take frame by frame. Keeps three blocks,
/// so that a queue that fills and drains does not allocate.
class FrameQueue {
 public:
  struct Frame {
    FrameHeader header;
    const std::byte* payload;
  };

  FrameQueue() = default;
  FrameQueue(FrameQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        spare_(std::exchange(other.spare_, nullptr)),
        spares_(std::exchange(other.spares_, 0)),
        bytes_(std::exchange(other.bytes_, 0)),
        sent_(other.sent_),
        in_flight_(std::exchange(other.in_flight_, 0)),
        rights_(std::move(other.rights_)) {}
  FrameQueue& operator=(FrameQueue&& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(spare_, other.spare_);
    std::swap(spares_, other.spares_);
    std::swap(bytes_, other.bytes_);
    std::swap(sent_, other.sent_);
    std::swap(in_flight_, other.in_flight_);
    std::swap(rights_, other.rights_);
    return *this;
  }
  ~FrameQueue() {
    clear();
    while (spare_ != nullptr) std::free(std::exchange(spare_, spare_->next));
  }

  /// Gets the blocks that it will keep, so that it need not when it is in a hurry. Without memory
  /// it does later what it can.
  void warm_up() {
    for (int blocks = spares_ + (first_ != nullptr); blocks < max_spares; ++blocks) {
      if (Block* block = make_block(block_bytes)) keep(block);
    }
  }

  bool empty() const noexcept { return bytes_ == 0; }
  /// Everything queued, headers included.
  std::size_t bytes() const noexcept { return bytes_; }

  // Places in the stream of all frames that ever were queued here. A frame that begins before
  // `begin_position` has left, or its front part has.
  std::uint64_t begin_position() const noexcept { return sent_; }
  std::uint64_t end_position() const noexcept { return sent_ + bytes_; }
  // One that begins before `waiting_position` has left, or is on its way.
  std::uint64_t waiting_position() const noexcept { return sent_ + in_flight_; }

  /// How many bytes at the front are on their way, and have to stay until they are consumed: for a
  /// transport that is told only later how much of them it has written.
  void set_in_flight(std::size_t bytes) noexcept { in_flight_ = bytes; }

  void clear() noexcept {
    while (first_ != nullptr) drop_first();
    bytes_ = in_flight_ = 0;
    rights_.clear();
  }

  /// Adds a frame and returns where its payload is to be written, at once; a null pointer when
  /// there is no memory, and `rights` are then as they were.
  [[nodiscard]] std::byte* push(std::uint16_t tag, std::size_t size, bool continued = false,
                                RightList* rights = nullptr) {
    const std::size_t count = rights != nullptr ? rights->size() : 0;
    const FrameHeader header{static_cast<std::uint32_t>(size), tag, continued,
                             static_cast<std::uint8_t>(count)};
    const std::size_t needed = sizeof header + size;
    if (last_ == nullptr || last_->capacity - last_->end < needed) {
      if (!add_block(needed)) return nullptr;
    }
    std::byte* out = last_->data() + last_->end;
    std::memcpy(out, &header, sizeof header);
    if (count != 0) {
      rights->set_position(sent_ + bytes_);
      rights_.append(std::move(*rights));
    }
    last_->end += needed;
    bytes_ += needed;
    return out + sizeof header;
  }

  /// The oldest frame. The queue must not be empty.
  Frame front() const {
    Frame frame;
    std::memcpy(&frame.header, first_->data() + first_->begin, sizeof frame.header);
    frame.payload = first_->data() + first_->begin + sizeof frame.header;
    return frame;
  }

  void pop() { consume(sizeof(FrameHeader) + front().header.bytes); }

  /// The header of the frame that begins at this place of the stream, where one must.
  FrameHeader header_at(std::uint64_t position) const {
    const Place place = find(position);
    FrameHeader header;
    std::memcpy(&header, place.block->data() + place.offset, sizeof header);
    return header;
  }

  /// Takes out the frame that begins at this place of the stream, where one must, with its rights.
  /// Returns by how many bytes the places of all later frames have become less.
  std::size_t remove(std::uint64_t position) noexcept {
    const FrameHeader header = header_at(position);
    const std::size_t size = sizeof header + header.bytes;
    remove_rights(position, header.rights, size);
    const Place place = find(position);
    Block* const block = place.block;
    std::byte* const frame = block->data() + place.offset;
    std::memmove(frame, frame + size, block->end - place.offset - size);
    block->end -= size;
    bytes_ -= size;
    if (block->begin != block->end) return size;
    if (block == first_) {
      leave_first();
    } else {
      place.before->next = block->next;
      if (block == last_) last_ = place.before;
      recycle(block);
    }
    return size;
  }

  /// The rights of the frames, those of the oldest one first.
  const RightList& rights() const { return rights_; }
  /// Takes the first of them: those of the oldest frame, or all of them.
  RightList take_rights(std::size_t count) { return rights_.split(count); }
  /// How many rights go out with the next byte.
  std::size_t rights_due() const {
    return !rights_.empty() && rights_.position() == sent_ ? front().header.rights : 0;
  }

  /// Cuts `bytes` off the front of the oldest frame's payload, which has more than that.
  void advance(std::size_t bytes) {
    FrameHeader header = front().header;
    header.bytes -= static_cast<std::uint32_t>(bytes);
    header.continued = 1;
    header.rights = 0;  // gone with what was cut off
    consume(bytes);
    std::memcpy(first_->data() + first_->begin, &header, sizeof header);
  }

  /// The waiting bytes as one stream, up to the next ones with rights that are not due yet; returns
  /// how many of `parts` were filled in.
  std::size_t gather(std::span<os::GatheredPart> parts) const {
    const std::uint64_t end = rights_.position_after(rights_due());
    std::size_t left = end != UINT64_MAX ? static_cast<std::size_t>(end - sent_) : bytes_;
    std::size_t count = 0;
    for (Block* block = first_; left != 0 && count != parts.size(); block = block->next) {
      const std::size_t here = (min)(left, block->end - block->begin);
      parts[count++] = {block->data() + block->begin, here};
      left -= here;
    }
    return count;
  }

  /// Drops bytes of the stream that were written.
  void consume(std::size_t bytes) {
    bytes_ -= bytes;
    sent_ += bytes;
    in_flight_ -= (min)(in_flight_, bytes);
    while (bytes != 0) {
      const std::size_t here = (min)(bytes, first_->end - first_->begin);
      first_->begin += here;
      bytes -= here;
      if (first_->begin == first_->end) leave_first();
    }
  }

 private:
  struct Block {
    Block* next;
    std::size_t begin, end, capacity;

    std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  };
  static constexpr std::size_t block_bytes = std::size_t{64} << 10;
  static constexpr int max_spares = 3;

  struct Place {
    Block* before;
    Block* block;
    /// From the beginning of the block's memory.
    std::size_t offset;
  };
  Place find(std::uint64_t position) const {
    Place place{nullptr, first_, static_cast<std::size_t>(position - sent_)};
    while (place.offset >= place.block->end - place.block->begin) {
      place.offset -= place.block->end - place.block->begin;
      place.before = std::exchange(place.block, place.block->next);
    }
    place.offset += place.block->begin;
    return place;
  }

  void remove_rights(std::uint64_t position, std::size_t count, std::size_t bytes) noexcept {
    std::size_t before = 0;
    for (;;) {
      const std::uint64_t next = rights_.position_after(before);
      if (next >= position) break;
      before += header_at(next).rights;
    }
    RightList kept = rights_.split(before);
    rights_.split(count).clear();
    rights_.move_positions(bytes);
    kept.append(std::move(rights_));
    rights_ = std::move(kept);
  }

  static Block* make_block(std::size_t capacity) {
    void* memory = std::malloc(sizeof(Block) + capacity);
    return memory == nullptr ? nullptr : ::new (memory) Block{nullptr, 0, 0, capacity};
  }

  /// For an empty block of `block_bytes`.
  void keep(Block* block) {
    block->next = std::exchange(spare_, block);
    ++spares_;
  }

  bool add_block(std::size_t needed) {
    if (empty() && first_ != nullptr) drop_first();  // begun anew, but too small
    Block* block = nullptr;
    if (spare_ != nullptr && needed <= spare_->capacity) {
      block = std::exchange(spare_, spare_->next);
      block->next = nullptr;
      --spares_;
    } else {
      block = make_block((max)(needed, block_bytes));
      if (block == nullptr) return false;
    }
    (last_ != nullptr ? last_->next : first_) = block;
    last_ = block;
    return true;
  }

  /// The first block has been read: it is begun anew, or kept for later, or given back.
  void leave_first() {
    if (first_ == last_ && first_->capacity == block_bytes) {
      first_->begin = first_->end = 0;
    } else {
      drop_first();
    }
  }

  void drop_first() {
    Block* block = first_;
    first_ = block->next;
    if (first_ == nullptr) last_ = nullptr;
    recycle(block);
  }

  void recycle(Block* block) {
    if (spares_ != max_spares && block->capacity == block_bytes) {
      block->begin = block->end = 0;
      keep(block);
    } else {
      std::free(block);
    }
  }

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  Block* spare_ = nullptr;
  int spares_ = 0;
  std::size_t bytes_ = 0;
  /// Where in the stream the front is.
  std::uint64_t sent_ = 0;
  std::size_t in_flight_ = 0;
  RightList rights_;
};

}  // namespace strait::detail
