#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace strait::detail {

/// A Hello or a Welcome as it travels: never larger than this, so no peer can make it grow.
class HandshakeBytes {
 public:
  static constexpr std::size_t capacity = 128;

  HandshakeBytes() = default;
  /// Cuts off what is too long; the handshake then finds it garbled.
  explicit HandshakeBytes(std::span<const std::byte> bytes)
      : size_(bytes.size() < capacity ? bytes.size() : capacity) {
    if (size_ != 0) std::memcpy(bytes_.data(), bytes.data(), size_);
  }

  std::span<const std::byte> bytes() const { return {bytes_.data(), size_}; }
  std::span<std::byte> room() { return {bytes_.data(), capacity}; }
  void resize(std::size_t size) { size_ = size; }

 private:
  std::array<std::byte, capacity> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace strait::detail
