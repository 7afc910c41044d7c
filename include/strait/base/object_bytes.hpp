#pragma once

#include <cstddef>
#include <span>

namespace strait::detail {

/// The bytes of an object as it lies in memory, as `std::as_bytes` of a span of it. That costs a
/// compiler several milliseconds for each type, since it proves what iterators over it can do.
template <class T>
std::span<const std::byte> object_bytes(const T& object) {
  return std::span<const std::byte>(reinterpret_cast<const std::byte*>(&object), sizeof(T));
}
template <class T>
std::span<std::byte> writable_object_bytes(T& object) {
  return std::span<std::byte>(reinterpret_cast<std::byte*>(&object), sizeof(T));
}

}  // namespace strait::detail
