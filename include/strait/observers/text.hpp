#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strait/base/hex.hpp"

namespace strait::detail {

/// Text of a bounded length, without a heap: what does not fit is left out.
template <std::size_t capacity>
class BoundedText {
 public:
  std::string_view view() const { return {text_.data(), size_}; }
  void clear() { size_ = 0; }

  /// As it is.
  BoundedText& operator<<(std::string_view text) {
    for (const char c : text) {
      if (size_ == capacity) break;
      text_[size_++] = c;
    }
    return *this;
  }
  BoundedText& operator<<(std::uint64_t number) { return padded(number, 1); }
  BoundedText& operator<<(std::int32_t number) {
    if (number >= 0) return *this << static_cast<std::uint64_t>(number);
    return *this << "-" << static_cast<std::uint64_t>(-static_cast<std::int64_t>(number));
  }

  /// With zeros in front.
  BoundedText& padded(std::uint64_t number, std::size_t min_digits) {
    std::array<char, 20> digits{};
    std::size_t count = 0;
    for (; number != 0 || count < min_digits; number /= 10) {
      digits[count++] = static_cast<char>('0' + number % 10);
    }
    while (count != 0) put(digits[--count]);
    return *this;
  }

  /// For a line of a log: what is no printable ASCII becomes \xNN, so that no text begins a line of
  /// its own or speaks to a terminal.
  BoundedText& escaped(std::string_view text) {
    for (const char c : text) {
      const auto code = static_cast<unsigned char>(c);
      if (code < 0x20 || code >= 0x7f || c == '\\') {
        *this << "\\x";
        put_hex(code);
      } else {
        put(c);
      }
    }
    return *this;
  }

  /// For the inside of a string of JSON, in ASCII. Bytes that are none are taken for Latin-1.
  BoundedText& json(std::string_view text) {
    for (const char c : text) {
      const auto code = static_cast<unsigned char>(c);
      if (code < 0x20 || code >= 0x7f || c == '\\' || c == '"') {
        // Whole, or not at all: a part of it would not be JSON.
        if (capacity - size_ < 6) return *this;
        *this << "\\u00";
        put_hex(code);
      } else {
        put(c);
      }
    }
    return *this;
  }

 private:
  void put(char c) {
    if (size_ != capacity) text_[size_++] = c;
  }
  void put_hex(unsigned char code) {
    put(hex_digits[code >> 4]);
    put(hex_digits[code & 15]);
  }

  std::array<char, capacity> text_;
  std::size_t size_ = 0;
};

/// A name to print, cut after so many bytes.
using ShortText = BoundedText<48>;

}  // namespace strait::detail
