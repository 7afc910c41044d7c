#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/config.hpp"

namespace strait {

#if STRAIT_HAS_WINDOWS

/// A user's security identifier (SID), as the system lays it out; by default that of no user.
class UserId {
 public:
  static constexpr std::size_t capacity = 68;

  UserId() = default;
  /// That of no user if there are more bytes than an identifier can have.
  explicit UserId(std::span<const std::byte> sid) {
    if (sid.empty() || sid.size() > capacity) return;
    std::memcpy(bytes_.data(), sid.data(), sid.size());
    size_ = static_cast<std::uint8_t>(sid.size());
  }

  explicit operator bool() const { return size_ != 0; }
  std::span<const std::byte> bytes() const { return {bytes_.data(), size_}; }
  friend bool operator==(const UserId&, const UserId&) = default;

 private:
  std::array<std::byte, capacity> bytes_{};
  std::uint8_t size_ = 0;
};

#else

/// A user's number.
using UserId = std::uint32_t;

#endif

}  // namespace strait
