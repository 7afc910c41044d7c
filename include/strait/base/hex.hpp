#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace strait::detail {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

/// Writes two lower-case digits for each byte.
constexpr void write_hex(std::span<const std::byte> bytes, char* out) {
  for (const std::byte byte : bytes) {
    *out++ = hex_digits[std::to_integer<std::size_t>(byte) >> 4];
    *out++ = hex_digits[std::to_integer<std::size_t>(byte) & 15];
  }
}

}  // namespace strait::detail
