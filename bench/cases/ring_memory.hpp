#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "harness/native.hpp"

namespace bench {

inline constexpr std::size_t ring_bytes = 1024 * 1024;
static_assert(std::has_single_bit(ring_bytes) && ring_bytes % largest_page_bytes == 0);

/// One direction: a page with the two sides' positions, each on lines of its own, then the ring,
/// twice in a row.
class RingMemory {
 public:
  static constexpr std::size_t bytes = largest_page_bytes + ring_bytes;

  RingMemory(DescriptorNumber file, std::size_t offset)
      : base_(map_twice(file, offset, largest_page_bytes, ring_bytes)) {}
  RingMemory(RingMemory&& other) noexcept : base_(std::exchange(other.base_, nullptr)) {}
  RingMemory& operator=(RingMemory&&) = delete;
  ~RingMemory() {
    if (base_ != nullptr) unmap_twice(base_, largest_page_bytes, ring_bytes);
  }

  std::byte* at(std::uint64_t position) const noexcept {
    return base_ + largest_page_bytes + (position & (ring_bytes - 1));
  }
  /// The word that a record begins with.
  std::atomic<std::uint64_t>& header(std::uint64_t position) const noexcept {
    return word_at(at(position));
  }
  std::atomic<std::uint64_t>& reader_position() const noexcept { return word_at(base_); }
  std::atomic<std::uint64_t>& writer_position() const noexcept {
    return word_at(base_ + line_bytes);
  }

 private:
  /// Two: processors fetch pairs.
  static constexpr std::size_t line_bytes = 128;

  // Where libc++ has no std::atomic_ref yet.
  static std::atomic<std::uint64_t>& word_at(std::byte* where) noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(where);
  }
  static_assert(sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t) &&
                std::atomic<std::uint64_t>::is_always_lock_free);

  std::byte* base_;
};

}  // namespace bench
