#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "strait/framing/frame_queue.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/redelivery/frame.hpp"

namespace strait::detail {

/// Messages that may have to be sent again, oldest first, with consecutive numbers. They lie one
/// behind the other in one piece of memory, which is moved up when half of it is free, and may have
/// four times their size.
class KeptMessages {
 public:
  bool empty() const { return first_number_ == end_number_; }
  /// Of the oldest one, or of the one that comes next.
  std::uint64_t first_number() const { return first_number_; }
  /// Of the one that comes next.
  std::uint64_t end_number() const { return end_number_; }
  std::size_t bytes() const { return bytes_.size() - begin_; }

  /// Adds one and returns where its bytes are to be written, at once; null without memory.
  [[nodiscard]] std::byte* push(std::uint16_t tag, std::size_t size) {
    const FrameHeader header{static_cast<std::uint32_t>(size), tag};
    std::byte* const out = bytes_.extend(sizeof header + size);
    if (out == nullptr) return nullptr;
    std::memcpy(out, &header, sizeof header);
    ++end_number_;
    return out + sizeof header;
  }

  /// Has `next` begin anew, at the message of this number, which is one of those here or the end.
  void rewind(std::uint64_t number) {
    next_ = begin_;
    next_number_ = first_number_;
    while (next_number_ != number) skip();
  }

  bool has_next() const { return next_number_ != end_number_; }
  std::uint64_t next_number() const { return next_number_; }
  EncodedFrame next() {
    const FrameHeader header = header_at(next_);
    return {header.tag, {bytes_.data() + next_ + sizeof header, header.bytes}};
  }
  void skip() {
    next_ += sizeof(FrameHeader) + header_at(next_).bytes;
    ++next_number_;
  }

  /// Drops those up to this number, which are here.
  void drop_through(std::uint64_t number) {
    for (; first_number_ <= number; ++first_number_) {
      begin_ += sizeof(FrameHeader) + header_at(begin_).bytes;
    }
    if (next_number_ < first_number_) {
      next_ = begin_;
      next_number_ = first_number_;
    }
    if (begin_ < bytes_.size() - begin_) return;
    const std::size_t left = bytes();
    if (left != 0) std::memmove(bytes_.data(), bytes_.data() + begin_, left);
    next_ -= begin_;
    begin_ = 0;
    left != 0 ? bytes_.resize(left) : bytes_.clear();
  }

 private:
  FrameHeader header_at(std::size_t place) {
    FrameHeader header;
    std::memcpy(&header, bytes_.data() + place, sizeof header);
    return header;
  }

  ByteBuffer bytes_;
  std::size_t begin_ = 0;
  std::size_t next_ = 0;
  std::uint64_t first_number_ = 1;
  std::uint64_t next_number_ = 1;
  std::uint64_t end_number_ = 1;
};

}  // namespace strait::detail
