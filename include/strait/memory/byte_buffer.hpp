#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "strait/base/copy_words.hpp"
#include "strait/base/min_max.hpp"
#include "strait/os/aligned_memory.hpp"

namespace strait::detail {

/// Payloads are given to serializers at this alignment, so that a `T` can be read where it lies.
inline constexpr std::size_t payload_alignment = 64;

/// A growing, uninitialised, aligned buffer that keeps its memory warm between messages; a large
/// one until 64 in a row have needed less than a quarter of it.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)),
        small_uses_(other.small_uses_) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(small_uses_, other.small_uses_);
    return *this;
  }
  ~ByteBuffer() { os::free_aligned(data_); }

  std::byte* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  void clear() noexcept {
    if (capacity_ > large_bytes) [[unlikely]]
      consider_shrinking();
    size_ = 0;
  }
  /// For bytes that were written behind the end, into room that `reserve` made.
  void resize(std::size_t size) noexcept { size_ = size; }

  /// Room for `bytes` in all; false when there is no memory. Keeps what is in it.
  [[nodiscard]] bool reserve(std::size_t bytes) {
    if (data_ != nullptr && bytes <= capacity_) return true;
    if (bytes > SIZE_MAX / 2) return false;  // what follows would wrap around
    const std::size_t wanted = (max)(bytes, (max)(2 * capacity_, 4096));
    const std::size_t rounded = (wanted + payload_alignment - 1) / payload_alignment;
    auto* grown = static_cast<std::byte*>(
        os::allocate_aligned(payload_alignment, rounded * payload_alignment));
    if (grown == nullptr) return false;
    if (size_ != 0) std::memcpy(grown, data_, size_);
    os::free_aligned(data_);
    data_ = grown;
    capacity_ = rounded * payload_alignment;
    return true;
  }

  /// Makes the buffer a copy of `bytes` bytes; false when there is no memory.
  [[nodiscard, gnu::always_inline]] bool assign(const std::byte* from, std::size_t bytes) {
    if (bytes > capacity_ || capacity_ > large_bytes) [[unlikely]] {
      clear();
      if (!reserve(bytes)) return false;
    }
    if (bytes != 0) std::memcpy(data_, from, bytes);
    size_ = bytes;
    return true;
  }
  /// The same, where `from` can be read up to the end of a word of eight bytes.
  [[nodiscard, gnu::always_inline]] bool assign_words(const std::byte* from, std::size_t bytes) {
    if (bytes > max_copy_words_bytes || capacity_ == 0 || capacity_ > large_bytes) {
      return assign(from, bytes);
    }
    copy_words(data_, from, bytes);
    size_ = bytes;
    return true;
  }

  /// Adds `bytes` uninitialised bytes to the end; a null pointer when there is no memory.
  [[nodiscard]] std::byte* extend(std::size_t bytes) {
    if (bytes > SIZE_MAX - size_ || !reserve(size_ + bytes)) return nullptr;
    return data_ + std::exchange(size_, size_ + bytes);
  }

 private:
  static constexpr std::size_t large_bytes = std::size_t{1} << 20;
  static constexpr int max_small_uses = 64;

  void consider_shrinking() noexcept {
    small_uses_ = size_ < capacity_ / 4 ? small_uses_ + 1 : 0;
    if (small_uses_ != max_small_uses) return;
    os::free_aligned(std::exchange(data_, nullptr));
    capacity_ = 0;
    small_uses_ = 0;
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  int small_uses_ = 0;
};

}  // namespace strait::detail
