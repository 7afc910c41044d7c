#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/base/aggregate.hpp"
#include "strait/base/structure.hpp"
#include "strait/base/type_name.hpp"

// What the members of a message are. The types of the standard library are recognized by what they
// offer, not by name: to include their headers would cost more than all the rest, and containers
// of other libraries of the same shape are taken, too.

namespace strait {

/// What `StructSerializer` can't see by itself: specialize it for a type of one's own.
///
/// For a type with constructors or private members, by something that can be a member of a message:
///
///     template <>
///     struct strait::StructTraits<Uuid> {
///       using Representation = std::array<std::uint8_t, 16>;
///       static Representation represent(const Uuid& id) { return id.bytes(); }
///       static bool assign(Representation&& bytes, Uuid& id) { return id.set(bytes); }
///     };
///
/// `represent` is called twice a message and gives the same both times; it may return a reference
/// or, so that nothing is allocated, a `std::string_view`, a `std::span` or a tuple of them.
/// `assign` gets a default-constructed object; its `false` makes the message malformed.
///
/// For an enumeration by a range: `static constexpr Enum min = ..., max = ...;`. One without is
/// checked as `detail::holds_values` says.
template <class T>
struct StructTraits {};

namespace detail::structs {

/// A message may nest lists, maps, owned objects and represented types to this depth.
inline constexpr std::uint32_t max_depth = 64;
inline constexpr std::size_t max_struct_members = 32;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t size>
inline constexpr bool is_std_array<std::array<T, size>> = true;

template <class T>
inline constexpr bool is_span = false;
template <class T, std::size_t extent>
inline constexpr bool is_span<std::span<T, extent>> = true;

template <class T>
concept Represented = requires {
  typename StructTraits<T>::Representation;
};
template <class T>
concept Ranged = requires {
  StructTraits<T>::min;
  StructTraits<T>::max;
};

enum class Kind : std::uint8_t {
  refused,
  scalar,
  boolean,
  enumeration,
  empty,
  array,
  aggregate,
  tuple,
  view,
  sequence,
  map,
  optional,
  variant,
  owner,
  duration,
  time_point,
  represented,
};

template <class T>
consteval bool is_plain_owner() {
  std::string_view name = full_type_name<typename T::deleter_type>();
  for (const std::string_view prefix : {"std::", "__1::", "default_delete<"}) {
    if (name.substr(0, prefix.size()) == prefix) {
      name.remove_prefix(prefix.size());
    } else if (prefix != "__1::") {
      return false;
    }
  }
  return requires(T & owner) { *owner; };
}

/// Of a class that is neither an aggregate nor empty.
template <class T>
consteval Kind library_kind() {
  if constexpr (is_span<T>) {
    return Kind::view;
  } else if constexpr (requires { typename T::traits_type::char_type; }) {
    return requires { typename T::allocator_type; }
    ? Kind::sequence : Kind::view;
  } else if constexpr (requires { typename T::mapped_type; }) {
    return requires(T & map, typename T::key_type key) { map.try_emplace(std::move(key)); }
    ? Kind::map : Kind::refused;
  } else if constexpr (requires { typename T::allocator_type; }) {
    return requires(T & list) { list.emplace_back(); }
    ? Kind::sequence : Kind::refused;
  } else if constexpr (requires { typename T::deleter_type; }) {
    return is_plain_owner<T>() ? Kind::owner : Kind::refused;
  } else if constexpr (requires(T & optional) {
                         optional.reset();
                         optional.has_value();
                         typename T::value_type;
                       }) {
    return Kind::optional;
  } else if constexpr (requires(const T& variant) { variant.valueless_by_exception(); }) {
    return Kind::variant;
  } else if constexpr (requires {
                         typename T::rep;
                         typename T::period;
                       }) {
    return Kind::duration;
  } else if constexpr (requires(const T& time) { time.time_since_epoch(); }) {
    return Kind::time_point;
  } else {
    return Kind::refused;
  }
}

template <class T>
consteval bool has_few_members() {
  if constexpr (is_transparent<T>()) {
    return count_members<T>() <= max_struct_members;
  } else {
    return false;
  }
}

template <class T>
consteval Kind find_kind() {
  if constexpr (std::is_same_v<T, bool>) {
    return Kind::boolean;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>) {
    return Kind::scalar;
  } else if constexpr (std::is_bounded_array_v<T>) {
    return Kind::array;
  } else if constexpr (Represented<T>) {
    return Kind::represented;
  } else if constexpr (std::is_enum_v<T>) {
    return Kind::enumeration;
  } else if constexpr (!std::is_class_v<T> || std::is_polymorphic_v<T>) {
    return Kind::refused;
  } else if constexpr (is_std_array<T>) {
    return Kind::array;
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return Kind::tuple;
  } else if constexpr (std::is_empty_v<T>) {
    return std::is_trivially_default_constructible_v<T> ? Kind::empty : Kind::refused;
  } else if constexpr (std::is_aggregate_v<T>) {
    return has_few_members<T>() ? Kind::aggregate : Kind::refused;
  } else {
    return library_kind<T>();
  }
}

template <class T>
inline constexpr Kind kind = find_kind<T>();

template <class T>
struct ArrayOf;
template <class T, std::size_t count>
struct ArrayOf<T[count]> {
  using Element = T;
  static constexpr std::size_t size = count;
};
template <class T, std::size_t count>
struct ArrayOf<std::array<T, count>> {
  using Element = T;
  static constexpr std::size_t size = count;
};

template <class T, class Indices = std::make_index_sequence<std::tuple_size_v<T>>>
struct TupleOf;
template <class T, std::size_t... indices>
struct TupleOf<T, std::index_sequence<indices...>> {
  using Types = TypeList<std::tuple_element_t<indices, T>...>;
};
template <class T>
using TypesOf = typename TupleOf<T>::Types;

template <class T>
struct AlternativesOf;
template <template <class...> class Variant, class... Ts>
struct AlternativesOf<Variant<Ts...>> {
  using Types = TypeList<Ts...>;
  static constexpr std::size_t count = sizeof...(Ts);
};

template <class T>
using RepresentationOf = std::remove_cvref_t<typename StructTraits<T>::Representation>;

/// How many bytes of a scalar are its value: an 80-bit floating-point number has padding.
template <class T>
inline constexpr std::size_t scalar_bytes =
    std::is_floating_point_v<T>&& std::numeric_limits<T>::digits == 64 ? 10 : sizeof(T);

// --- encoded sizes -------------------------------------------------------------------------------

/// Of all values of a type: the fewest bytes that one takes, and whether that is what each takes.
struct Extent {
  std::size_t min = 0;
  bool fixed = true;

  constexpr Extent operator+(Extent other) const { return {min + other.min, fixed && other.fixed}; }
};

template <class T>
consteval Extent find_extent();
template <class T>
inline constexpr Extent extent = find_extent<T>();

template <class... Ts>
consteval Extent sum_of_extents(TypeList<Ts...>) {
  return (Extent{} + ... + extent<std::remove_cv_t<Ts>>);
}

template <class T>
consteval Extent find_extent() {
  constexpr Kind of = kind<T>;
  if constexpr (of == Kind::scalar) {
    return {scalar_bytes<T>};
  } else if constexpr (of == Kind::boolean || of == Kind::enumeration) {
    return {sizeof(T)};
  } else if constexpr (of == Kind::array) {
    constexpr Extent element = extent<std::remove_cv_t<typename ArrayOf<T>::Element>>;
    return {ArrayOf<T>::size * element.min, element.fixed};
  } else if constexpr (of == Kind::aggregate) {
    return sum_of_extents(MembersOf<T>());
  } else if constexpr (of == Kind::tuple) {
    return sum_of_extents(TypesOf<T>());
  } else if constexpr (of == Kind::duration) {
    return extent<typename T::rep>;
  } else if constexpr (of == Kind::time_point) {
    return extent<typename T::rep>;
  } else if constexpr (of == Kind::represented) {
    return extent<RepresentationOf<T>>;
  } else if constexpr (of == Kind::view || of == Kind::sequence || of == Kind::map) {
    return {sizeof(std::uint32_t), false};
  } else if constexpr (of == Kind::optional || of == Kind::variant || of == Kind::owner) {
    return {1, false};
  } else {
    return {0, of == Kind::empty};
  }
}

// --- what is the same in memory ------------------------------------------------------------------

/// Whether a `T` lies in memory just as it is encoded, so that any number of them is one memcpy.
template <class T>
consteval bool find_flat();
template <class T>
inline constexpr bool flat = find_flat<T>();

template <class... Ts>
consteval bool all_flat(std::size_t size, TypeList<Ts...>) {
  return (flat<Ts> && ...) && (0 + ... + sizeof(Ts)) == size;
}

template <class T>
consteval bool find_flat() {
  constexpr Kind of = kind<T>;
  if constexpr (of == Kind::scalar) {
    return scalar_bytes<T> == sizeof(T);
  } else if constexpr (of == Kind::boolean || of == Kind::enumeration) {
    return true;
  } else if constexpr (of == Kind::array) {
    return ArrayOf<T>::size != 0 && flat<typename ArrayOf<T>::Element>;
  } else if constexpr (of == Kind::aggregate) {
    return std::is_trivially_copyable_v<T> && all_flat(sizeof(T), MembersOf<T>());
  } else if constexpr (of == Kind::duration || of == Kind::time_point) {
    return flat<typename T::rep> && sizeof(T) == sizeof(typename T::rep) &&
           std::is_trivially_copyable_v<T>;
  } else {
    return false;
  }
}

/// The alignment of scalars on the wire does not depend on whether words have 32 or 64 bits.
template <class T>
constexpr std::size_t wire_alignment() {
  constexpr bool is_scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;
  return is_scalar && (sizeof(T) & (sizeof(T) - 1)) == 0 ? sizeof(T) : alignof(T);
}

/// How the elements of a list are aligned, from the beginning of the message.
template <class T>
inline constexpr std::size_t list_alignment = 1;
template <class T>
  requires(flat<T>)
inline constexpr std::size_t list_alignment<T> =
    wire_alignment<T>() < 64 ? wire_alignment<T>() : 64;

/// An element that takes no bytes takes one in a list, so that a count is always less than the
/// bytes that follow.
template <class T>
inline constexpr std::size_t min_element_bytes = extent<T>.min == 0 ? 1 : extent<T>.min;

/// Whether some bytes are a `T`, which is flat.
template <class T>
bool holds_flat(const std::byte* at);

template <class T>
consteval bool is_checked();

template <class... Ts>
consteval bool any_checked(TypeList<Ts...>) {
  return (is_checked<Ts>() || ...);
}

template <class T>
consteval bool is_checked() {
  if constexpr (kind<T> == Kind::boolean || kind<T> == Kind::enumeration) {
    return true;
  } else if constexpr (kind<T> == Kind::array) {
    return is_checked<typename ArrayOf<T>::Element>();
  } else if constexpr (kind<T> == Kind::aggregate) {
    return any_checked(MembersOf<T>());
  } else {
    return false;
  }
}

template <class... Ts>
bool members_hold(const std::byte* at, TypeList<Ts...>) {
  return ((at += sizeof(Ts), holds_flat<Ts>(at - sizeof(Ts))) && ...);
}

template <class T>
bool holds_flat(const std::byte* at) {
  if constexpr (!is_checked<T>()) {
    return true;
  } else if constexpr (kind<T> == Kind::boolean) {
    return *at <= std::byte{1};
  } else if constexpr (kind<T> == Kind::enumeration) {
    using Underlying = std::underlying_type_t<T>;
    if constexpr (std::is_same_v<Underlying, bool>) {
      return *at <= std::byte{1};
    } else if constexpr (Ranged<T>) {
      Underlying value;
      std::memcpy(&value, at, sizeof value);
      return value >= static_cast<Underlying>(StructTraits<T>::min) &&
             value <= static_cast<Underlying>(StructTraits<T>::max);
    } else {
      return holds_values<T>(at);
    }
  } else if constexpr (kind<T> == Kind::array) {
    using Element = typename ArrayOf<T>::Element;
    for (std::size_t i = 0; i != ArrayOf<T>::size; ++i) {
      if (!holds_flat<Element>(at + i * sizeof(Element))) return false;
    }
    return true;
  } else {
    return members_hold(at, MembersOf<T>());
  }
}

}  // namespace detail::structs
}  // namespace strait
