#pragma once

#include <cstddef>

namespace strait::detail {

/// As a `std::span`, which costs a compiler several milliseconds for each type, since it proves
/// what iterators over it can do. For what is not bytes and is the library's own.
template <class T>
class Slice {
 public:
  constexpr Slice() = default;
  constexpr Slice(T* data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t size>
  constexpr Slice(T (&array)[size]) : Slice(array, size) {}
  /// Of an array, a vector, or another one.
  template <class List>
    requires requires(List& list, T*& data) { data = list.data(); }
  constexpr Slice(List&& list) : Slice(list.data(), list.size()) {}

  constexpr T* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr std::size_t size_bytes() const { return size_ * sizeof(T); }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T& operator[](std::size_t index) const { return data_[index]; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr Slice first(std::size_t count) const { return Slice(data_, count); }
  constexpr Slice subspan(std::size_t begin) const { return Slice(data_ + begin, size_ - begin); }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace strait::detail
