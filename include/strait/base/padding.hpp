#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "strait/config.hpp"

namespace strait {

/// Whether every bit of a `T` belongs to its value. Specialize it for a type of which you know that
/// it has no padding and the compiler does not (a large array of structs of floats, say).
template <class T>
inline constexpr bool no_padding = std::has_unique_object_representations_v<T>;

namespace detail {

/// Reads every byte of a value while compiling, which is an error for a byte that is padding.
template <class T>
consteval bool every_byte_has_a_value() {
  unsigned sum = 0;
  for (const auto byte : std::bit_cast<std::array<unsigned char, sizeof(T)>>(T{})) sum += byte;
  return sum < UINT32_MAX;
}

template <class T>
concept Probeable = sizeof(T) <= 4096 && std::is_default_constructible_v<T>&& requires {
  typename std::bool_constant<every_byte_has_a_value<T>()>;
};

/// What tells the 80-bit floating point of x86, which has padding. The `long double` of other
/// processors has none, whatever its size.
inline constexpr int extended_digits = 64;

template <class T>
consteval bool padding_free() {
  if constexpr (no_padding<T> || std::is_floating_point_v<T>) {
    return no_padding<T> || std::numeric_limits<T>::digits != extended_digits;
  } else if constexpr (std::is_array_v<T>) {
    return padding_free<std::remove_extent_t<T>>();
  } else {
    // The probe does not see the padding inside of an 80-bit floating-point member.
    constexpr bool may_have_80_bits = std::numeric_limits<long double>::digits == extended_digits &&
                                      sizeof(T) >= sizeof(long double) &&
                                      alignof(T) >= alignof(long double);
    return !std::is_empty_v<T> && !may_have_80_bits && Probeable<T>;
  }
}

}  // namespace detail
}  // namespace strait
