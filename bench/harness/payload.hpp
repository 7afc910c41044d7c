#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// What is done to a message besides handing it over.
enum class Work : std::uint32_t {
  /// Its first and last eight bytes are written, and read where it arrives.
  hand_off,
  /// All of it is written by the sender and read by the receiver.
  produce_consume,
};

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
    stamp(room(bytes), number);
    return room(bytes);
  }

  /// Room for a message of that size, which must have been prepared.
  std::span<std::byte> room(std::size_t bytes) noexcept { return {outgoing_.data(), bytes}; }

  /// Makes the message with this number in `room`, as far as the work asks for it.
  template <Work work>
  static void make(std::span<std::byte> room, std::uint64_t number) noexcept {
    if constexpr (work == Work::hand_off) {
      stamp(room, number);
    } else {
      const std::size_t words = room.size() / sizeof number;
      for (std::size_t i = 0; i < words; ++i) {
        const std::uint64_t word = first_word(number) + i;
        std::memcpy(room.data() + i * sizeof word, &word, sizeof word);
      }
      for (std::size_t i = words * sizeof number; i < room.size(); ++i) {
        room[i] = static_cast<std::byte>(number);
      }
    }
  }
  /// Makes the message that `check_whole` expects.
  void make_whole(std::span<std::byte> room, std::uint64_t number) {
    grow_pattern(room.size());
    std::memcpy(room.data(), pattern_.data(), room.size());
    stamp(room, number);
  }

  template <Work work>
  static void check(std::span<const std::byte> message, std::size_t bytes, std::uint64_t number) {
    if constexpr (work == Work::hand_off) {
      check_stamps(message, bytes, number);
    } else {
      if (message.size() != bytes) fail_size(message.size(), bytes, number);
      // The sum of all words, which the compiler can add up many at a time.
      const std::size_t words = bytes / sizeof number;
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < words; ++i) {
        std::uint64_t word;
        std::memcpy(&word, message.data() + i * sizeof word, sizeof word);
        sum += word;
      }
      bool right = sum == words * first_word(number) + words * (words - (words != 0)) / 2;
      for (std::size_t i = words * sizeof number; i < bytes; ++i) {
        right = right && message[i] == static_cast<std::byte>(number);
      }
      if (!right) fail_content(bytes, number);
    }
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
  static void stamp(std::span<std::byte> message, std::uint64_t number) noexcept {
    const std::size_t bytes = message.size();
    if (bytes >= 2 * sizeof number) {
      std::memcpy(message.data(), &number, sizeof number);
      std::memcpy(message.data() + bytes - sizeof number, &number, sizeof number);
    } else {
      std::memcpy(message.data(), &number, bytes < sizeof number ? bytes : sizeof number);
    }
  }

  /// Far apart, so that words of two messages are not mistaken for each other.
  static std::uint64_t first_word(std::uint64_t number) noexcept {
    return (number + 1) * 0x9E37'79B9'7F4A'7C15u;
  }

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
