#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "strait/memory/byte_buffer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// Messages of up to so many bytes may lie anywhere: S9 of `Serializer`.
inline constexpr std::size_t max_unaligned_bytes = 4096;

/// Calls `read` with a message where it lies or, if that is not aligned so, with a copy of it.
template <std::size_t alignment, class Read>
Result<void> read_at_alignment(std::span<const std::byte> bytes, Read&& read) {
  static_assert(alignment <= payload_alignment);
  if constexpr (alignment > 1) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0) {
      if (bytes.size() > max_unaligned_bytes) return Errc::malformed;  // none is, by S9
      alignas(payload_alignment) std::byte copy[max_unaligned_bytes];
      if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
      return read(std::span<const std::byte>(copy, bytes.size()));
    }
  }
  return read(bytes);
}

}  // namespace strait::detail
