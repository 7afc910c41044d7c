#pragma once

#include <cstddef>
#include <cstring>

namespace strait::detail {

template <std::size_t part>
[[gnu::always_inline]] inline void copy_part_if_set(std::byte*& to, const std::byte*& from,
                                                    std::size_t bytes) {
  if ((bytes & part) == 0) return;
  std::memcpy(to, from, part);
  to += part;
  from += part;
}

/// Up to how many bytes `copy_words` copies.
inline constexpr std::size_t max_copy_words_bytes = 248;

/// Copies `bytes` bytes, rounded up to words of eight. A call of `std::memcpy` copies sizes such as
/// 200 as two halves that overlap, which makes a message up to a quarter slower (bench/README.md).
[[gnu::always_inline]] inline void copy_words(std::byte* to, const std::byte* from,
                                              std::size_t bytes) {
  const std::size_t rounded = bytes + 7;
  copy_part_if_set<128>(to, from, rounded);
  copy_part_if_set<64>(to, from, rounded);
  copy_part_if_set<32>(to, from, rounded);
  copy_part_if_set<16>(to, from, rounded);
  copy_part_if_set<8>(to, from, rounded);
}

}  // namespace strait::detail
