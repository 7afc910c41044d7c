#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bench {

// A message of up to eight bytes that travels as a number. Zero is left free for "none".

inline std::uint64_t to_word(std::span<const std::byte> message) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, message.data(), std::min(message.size(), sizeof word));
  return word + 1;
}

/// Calls `handle` with the message that is in the word.
template <class Handle>
void from_word(std::uint64_t word, std::size_t bytes, const Handle& handle) {
  --word;
  handle(std::as_bytes(std::span(&word, 1)).first(std::min(bytes, sizeof word)));
}

}  // namespace bench
