#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/fair_share.hpp"
#include "strait/base/min_max.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/spin_after_batch.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// Cuts a stream of bytes into messages. Small ones are read in big gulps and given where they lie;
/// a large one gets a buffer of its own, which grows with what has arrived.
class FrameReader {
 public:
  /// How many bytes are read and not given at the most, beside those of one message.
  static constexpr std::size_t max_ahead_bytes = (std::size_t{64} << 10) + 2 * sizeof(FrameHeader);

  /// `rights_limit`: how many rights a message may have; with more it is malformed.
  explicit FrameReader(std::uint8_t rights_limit = 0) : max_rights_(rights_limit) {}

  /// Calls `sink(header, bytes)` for messages until it returns false or `share` are done, reading
  /// on with `read(span)`, which returns how many bytes it read, at least one. Also success when
  /// a fair share of reads or bytes is done.
  ///
  /// Errors: `malformed`, `message_too_large`, `not_enough_memory`; what `read` returns, with
  /// `would_block` as `empty`.
  template <class Read, class Sink>
  Result<void> receive(Read&& read_some, Sink&& sink, std::size_t max_message_bytes, int share) {
    int given = 0;
    int reads = fair_share_reads;
    std::size_t bytes_left = fair_share_bytes;
    const auto read = [&](std::span<std::byte> room) -> Result<std::size_t> {
      --reads;
      const Result<std::size_t> got = read_some(room.first((min)(room.size(), fair_share_bytes)));
      if (got) bytes_left -= (min)(bytes_left, *got);
      return got;
    };
    const auto share_is_done = [&] { return reads == 0 || bytes_left == 0; };
    while (share > 0) {
      if (in_large_) {
        if (large_.size() != header_.bytes) {
          if (share_is_done()) return {};
          if (auto more = read_large(read); !more) return more;
          continue;
        }
        in_large_ = false;
        --share;
        if (!sink(std::as_const(header_), large_.bytes())) return {};
        continue;
      }
      if (buffered() >= sizeof header_) {
        std::memcpy(&header_, begin(), sizeof header_);
        if (header_.continued != 0 || header_.rights > max_rights_) return Errc::malformed;
        if (header_.bytes > max_message_bytes) return Errc::message_too_large;
        if (header_.bytes > small_bytes) {
          if (auto started = start_large(); !started) return started;
          continue;
        }
        if (buffered() >= sizeof header_ + header_.bytes) {
          const std::span bytes(begin() + sizeof header_, header_.bytes);
          begin_ += sizeof header_ + header_.bytes;
          --share;
          ++given;
          if (!sink(std::as_const(header_), bytes)) return {};
          continue;
        }
      }
      if (share_is_done()) return {};
      spin_after_batch(given < 32 ? given : 32);
      if (auto more = gulp(read); !more) return more;
    }
    return {};
  }

  /// Whether a message can be given without reading on.
  bool readable() const {
    if (in_large_) return large_.size() == header_.bytes;
    FrameHeader header;
    if (buffered() < sizeof header) return false;
    std::memcpy(&header, gulp_.bytes().data() + begin_, sizeof header);
    return buffered() - sizeof header >= header.bytes;
  }

  /// How many bytes are here of a message that can't be given yet, and one more.
  std::uint64_t unfinished() const {
    return 1 + (in_large_ ? sizeof header_ + large_.size() : buffered());
  }

  /// With how many rights the message that is not complete yet may have come, at the most.
  std::size_t rights_begun() const {
    if (in_large_) return header_.rights;
    if (buffered() == 0) return 0;
    FrameHeader header;
    if (buffered() < sizeof header) return max_rights_;
    std::memcpy(&header, gulp_.bytes().data() + begin_, sizeof header);
    return header.rights;
  }

  /// Copies what was read and not given yet, as it was in the stream. False when there is no
  /// memory.
  [[nodiscard]] bool copy_unread(ByteBuffer& to) const {
    if (in_large_) {
      if (!copy(to, {reinterpret_cast<const std::byte*>(&header_), sizeof header_})) return false;
      if (!copy(to, large_.bytes())) return false;
    }
    return copy(to, gulp_.bytes().subspan(begin_));
  }

 private:
  static constexpr std::size_t gulp_bytes = std::size_t{64} << 10;
  /// Messages up to here may be given unaligned: see S9.
  static constexpr std::size_t small_bytes = 4096;

  static bool copy(ByteBuffer& to, std::span<const std::byte> bytes) {
    std::byte* out = to.extend(bytes.size());
    if (out == nullptr) return false;
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    return true;
  }

  std::size_t buffered() const { return gulp_.size() - begin_; }
  const std::byte* begin() { return gulp_.data() + begin_; }

  template <class Read>
  Result<void> gulp(const Read& read) {
    if (!gulp_.reserve(gulp_bytes)) return no_memory();
    // What is left of the last gulp, a part of a small message, moves to the front.
    if (begin_ != 0) {
      const std::size_t left = buffered();
      if (left != 0) std::memmove(gulp_.data(), begin(), left);
      gulp_.resize(left);
      begin_ = 0;
    }
    return read_into(gulp_, gulp_bytes - gulp_.size(), read);
  }

  Result<void> start_large() {
    begin_ += sizeof header_;
    in_large_ = true;
    large_.clear();
    const std::size_t here = (min)(buffered(), header_.bytes);
    std::byte* copy = large_.extend(here);
    if (copy == nullptr) return no_memory();
    std::memcpy(copy, begin(), here);
    begin_ += here;
    return {};
  }

  template <class Read>
  Result<void> read_large(const Read& read) {
    const std::size_t grown = (min)(header_.bytes, (max)(gulp_bytes, 2 * large_.size()));
    if (!large_.reserve(grown)) return no_memory();
    return read_into(large_, (min)(header_.bytes, large_.capacity()) - large_.size(), read);
  }

  template <class Read>
  static Result<void> read_into(ByteBuffer& buffer, std::size_t room, const Read& read) {
    const Result<std::size_t> got = read(std::span(buffer.data() + buffer.size(), room));
    if (!got) return got.error() == Errc::would_block ? make_error_code(Errc::empty) : got.error();
    buffer.resize(buffer.size() + *got);
    return {};
  }

  ByteBuffer gulp_;
  std::size_t begin_ = 0;
  FrameHeader header_{};
  ByteBuffer large_;
  bool in_large_ = false;
  std::uint8_t max_rights_;
};

}  // namespace strait::detail
