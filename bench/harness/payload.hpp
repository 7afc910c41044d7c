#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// What every message is made of: a fixed pattern, with the message's number stamped on its first
/// and last eight bytes as far as there is room. The stamps are checked in each message; the
/// pattern between them in the closing message of each batch, which no clock sees.
class Payload {
 public:
  /// Makes messages of up to `bytes` ready, whole again after earlier stamps.
  void prepare(std::size_t bytes) {
    grow_pattern(bytes);
    outgoing_.assign(pattern_.begin(), pattern_.begin() + static_cast<std::ptrdiff_t>(bytes));
  }

  /// The message with this number, valid until the next call. `bytes` must have been prepared.
  std::span<const std::byte> stamped(std::size_t bytes, std::uint64_t number) noexcept {
    std::byte* const data = outgoing_.data();
    if (bytes >= 2 * sizeof number) {
      std::memcpy(data, &number, sizeof number);
      std::memcpy(data + bytes - sizeof number, &number, sizeof number);
    } else {
      std::memcpy(data, &number, bytes < sizeof number ? bytes : sizeof number);
    }
    return {data, bytes};
  }

  static void check_stamps(std::span<const std::byte> message, std::size_t bytes,
                           std::uint64_t number) {
    if (message.size() != bytes) fail_size(message.size(), bytes, number);
    bool right;
    if (bytes >= 2 * sizeof number) {
      std::uint64_t first;
      std::uint64_t last;
      std::memcpy(&first, message.data(), sizeof first);
      std::memcpy(&last, message.data() + bytes - sizeof last, sizeof last);
      right = first == number && last == number;
    } else {
      right =
          std::memcmp(message.data(), &number, bytes < sizeof number ? bytes : sizeof number) == 0;
    }
    if (!right) fail_content(bytes, number);
  }

  void check_whole(std::span<const std::byte> message, std::size_t bytes, std::uint64_t number) {
    check_stamps(message, bytes, number);
    grow_pattern(bytes);
    const std::size_t stamp = sizeof number;
    if (bytes > 2 * stamp &&
        std::memcmp(message.data() + stamp, pattern_.data() + stamp, bytes - 2 * stamp) != 0) {
      fail_content(bytes, number);
    }
  }

 private:
  void grow_pattern(std::size_t bytes) {
    if (pattern_.size() >= bytes) return;
    const std::size_t old = pattern_.size();
    pattern_.resize(bytes);
    for (std::size_t i = old; i < bytes; ++i) {
      const std::uint64_t word = (i / 8 + 1) * 0x9E37'79B9'7F4A'7C15u;
      pattern_[i] = static_cast<std::byte>(word >> (8 * (i % 8)));
    }
  }

  [[noreturn]] static void fail_size(std::size_t got, std::size_t wanted, std::uint64_t number) {
    throw std::runtime_error("message " + std::to_string(number) + " has " + std::to_string(got) +
                             " bytes instead of " + std::to_string(wanted));
  }
  [[noreturn]] static void fail_content(std::size_t bytes, std::uint64_t number) {
    throw std::runtime_error("message " + std::to_string(number) + " of " + std::to_string(bytes) +
                             " bytes arrived with the wrong content");
  }

  std::vector<std::byte> pattern_;
  std::vector<std::byte> outgoing_;
};

}  // namespace bench
