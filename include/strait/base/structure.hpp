#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/base/aggregate.hpp"
#include "strait/base/type_name.hpp"

namespace strait {

/// The version of a message type from another library: specialize it when what the type
/// means has changed and its structure has not. Of a type of one's own,
/// `static constexpr int schema_version` in it does the same.
template <class T>
inline constexpr std::uint64_t schema_version = 0;

namespace detail {

template <class T>
inline constexpr std::size_t std_array_size = 0;
template <class T, std::size_t size>
inline constexpr std::size_t std_array_size<std::array<T, size>> = size;

/// Views and handles of the standard library, by name: to include their headers would cost more
/// than all the rest.
template <class T>
consteval bool is_view() {
  std::string_view name = full_type_name<T>();
  const auto skip = [&](std::string_view prefix) {
    if (name.substr(0, prefix.size()) != prefix) return false;
    name.remove_prefix(prefix.size());
    return true;
  };
  if (!skip("std::")) return false;
  static_cast<void>(skip("__1::") || skip("__cxx11::"));
  // Some compilers prefer the short names of string views.
  return skip("basic_string_view<") || skip("string_view") || skip("wstring_view") ||
         skip("u8string_view") || skip("u16string_view") || skip("u32string_view") ||
         skip("span<") || skip("reference_wrapper<") || skip("initializer_list<") ||
         skip("mdspan<") || skip("coroutine_handle<") || skip("ranges::");
}

/// Where the members of an aggregate lie, as far as that follows from their sizes and alignments.
template <class... Members>
struct Offsets {
  static constexpr std::size_t count = sizeof...(Members);
  std::array<std::size_t, count> at{};
  std::size_t end = 0;

  consteval Offsets() {
    constexpr std::array<std::size_t, count> sizes{sizeof(Members)...};
    constexpr std::array<std::size_t, count> alignments{alignof(Members)...};
    for (std::size_t i = 0; i != count; ++i) {
      end = (end + alignments[i] - 1) / alignments[i] * alignments[i];
      at[i] = end;
      end += sizes[i];
    }
  }
};

// --- enumerators ---------------------------------------------------------------------------------

/// Enumerators are looked for from 0 up to here.
inline constexpr std::size_t max_enumerator = 64;

template <auto value>
consteval std::string_view enumerator_name() {
  std::string_view name =
      __PRETTY_FUNCTION__;  // ... value = ns::Colour::red] or ... (ns::Colour)7]
  name.remove_prefix(name.rfind("value = ") + 8);
  name = name.substr(0, name.find_first_of(";]"));
  if (name.empty() || name[0] == '(' || name[0] == '-' || (name[0] >= '0' && name[0] <= '9')) {
    return {};
  }
  const std::size_t scope = name.rfind("::");
  return scope == name.npos ? name : name.substr(scope + 2);
}

template <class Enum, std::size_t value>
consteval std::string_view enumerator_at() {
  if constexpr (requires { std::bool_constant<(static_cast<Enum>(value), true)>{}; }) {
    return enumerator_name<static_cast<Enum>(value)>();
  } else {
    return {};
  }
}

/// What the compiler tells of an enumeration.
struct Enumerators {
  std::uint64_t hash = fnv_basis;
  /// All bits that enumerators have; 0 when none was found.
  std::uint64_t bits = 0;
  bool any = false;
};

template <class Enum, std::size_t... values>
consteval Enumerators find_enumerators(std::index_sequence<values...>) {
  Enumerators found;
  const auto add = [&](std::size_t value, std::string_view name) {
    if (name.empty()) return;
    found.hash = fnv(fnv(found.hash, value), name);
    found.bits |= value;
    found.any = true;
  };
  (..., add(values, enumerator_at<Enum, values>()));
  return found;
}

template <class Enum>
inline constexpr Enumerators enumerators_of =
    find_enumerators<Enum>(std::make_index_sequence<max_enumerator>());

// --- hash ----------------------------------------------------------------------------------------

template <class T>
consteval std::uint64_t structure_hash();

template <class... Members>
consteval std::uint64_t hash_members(std::uint64_t hash, TypeList<Members...>) {
  // Where they lie, and not how they are aligned: on i386 a structure is aligned to 4 bytes at the
  // most for its integers, and yet many are laid out as on x86-64.
  for (const std::size_t at : Offsets<Members...>().at) hash = fnv(hash, at);
  (..., (hash = fnv(hash, structure_hash<Members>())));
  return hash;
}

template <class T>
consteval std::uint64_t version_of() {
  if constexpr (requires { T::schema_version; }) {
    return static_cast<std::uint64_t>(T::schema_version);
  } else {
    return schema_version<T>;
  }
}

/// A hash of what C++20 can see of a type, the same from every compiler and standard library: of a
/// scalar its kind and size, of an array its element and extent, of an enumeration its underlying
/// type and its enumerators (as far as they lie within 0 and 63), of an aggregate its name, its
/// template arguments, where its members lie and, recursively, their types; of any other type its
/// name, size and alignment. Always with the version, see `schema_version`.
///
/// What it can't see: the names of members, so that two of one type that change places are the
/// same; the inside of classes with constructors, private members, bases or unions. There only a
/// version helps.
template <class T>
consteval std::uint64_t structure_hash() {
  using Plain = std::remove_cv_t<T>;
  constexpr std::uint64_t size = sizeof(Plain);
  const auto of = [](char kind, std::uint64_t value) {
    return fnv(fnv(fnv_basis, std::string_view(&kind, 1)), value);
  };
  if constexpr (!std::is_same_v<T, Plain>) {
    return structure_hash<Plain>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return of('b', size);
  } else if constexpr (std::is_floating_point_v<T>) {
    return of('f', std::numeric_limits<T>::digits);
  } else if constexpr (std::is_integral_v<T>) {
    constexpr bool wide = std::is_same_v<T, char8_t> || std::is_same_v<T, char16_t> ||
                          std::is_same_v<T, char32_t> || std::is_same_v<T, wchar_t>;
    if constexpr (std::is_same_v<T, char> || wide) {
      return of('c', size);
    } else {
      return of(std::is_signed_v<T> ? 'i' : 'u', size);
    }
  } else if constexpr (std::is_same_v<T, std::byte>) {
    return of('y', size);
  } else if constexpr (std::is_enum_v<T>) {
    return fnv(
        fnv(fnv(of('e', structure_hash<std::underlying_type_t<T>>()), normal_type_name_hash<T>()),
            enumerators_of<T>.hash),
        version_of<T>());
  } else if constexpr (std::is_array_v<T>) {
    return fnv(of('a', std::extent_v<T>), structure_hash<std::remove_extent_t<T>>());
  } else if constexpr (std_array_size<T> != 0) {
    return fnv(of('a', std_array_size<T>), structure_hash<typename T::value_type>());
  } else {
    const std::uint64_t hash = fnv(fnv(of('s', size), normal_type_name_hash<T>()), version_of<T>());
    if constexpr (is_transparent<T>()) {
      return hash_members(hash, MembersOf<T>());
    } else {
      return fnv(hash, alignof(T));
    }
  }
}

// --- what means nothing elsewhere ----------------------------------------------------------------

template <class T>
consteval bool has_address();

template <class... Members>
consteval bool any_has_address(TypeList<Members...>) {
  return (has_address<Members>() || ...);
}

/// Whether a type has, as far as its structure shows, what means nothing in another process: a
/// pointer of any kind, a reference, a view.
template <class T>
consteval bool has_address() {
  using Plain = std::remove_cv_t<T>;
  if constexpr (std::is_pointer_v<Plain> || std::is_reference_v<Plain> ||
                std::is_member_pointer_v<Plain> || std::is_null_pointer_v<Plain>) {
    return true;
  } else if constexpr (std::is_array_v<Plain>) {
    return has_address<std::remove_all_extents_t<Plain>>();
  } else if constexpr (std_array_size<Plain> != 0) {
    return has_address<typename Plain::value_type>();
  } else if constexpr (!std::is_class_v<Plain>) {
    return false;
  } else if constexpr (is_view<Plain>()) {
    return true;
  } else if constexpr (is_transparent<Plain>()) {
    return any_has_address(MembersOf<Plain>());
  } else {
    // An aggregate that can't be made of nothing nor assigned has a reference in it.
    return std::is_aggregate_v<Plain> && !std::is_copy_assignable_v<Plain> && !requires {
      Plain{};
    };
  }
}

// --- values --------------------------------------------------------------------------------------

template <class T>
consteval bool has_checked_values();

template <class... Members>
consteval bool any_has_checked_values(TypeList<Members...>) {
  return (has_checked_values<Members>() || ...);
}

/// Whether a type has parts in which not every bit pattern is a value, and it is known where.
template <class T>
consteval bool has_checked_values() {
  using Plain = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<Plain, bool>) {
    return true;
  } else if constexpr (std::is_enum_v<Plain> && !std::is_same_v<Plain, std::byte>) {
    return enumerators_of<Plain>.any;
  } else if constexpr (std::is_array_v<Plain>) {
    return has_checked_values<std::remove_all_extents_t<Plain>>();
  } else if constexpr (std_array_size<Plain> != 0) {
    return has_checked_values<typename Plain::value_type>();
  } else if constexpr (std::is_class_v<Plain> && is_transparent<Plain>()) {
    return any_has_checked_values(MembersOf<Plain>());
  } else {
    return false;
  }
}

template <class T>
bool holds_values(const std::byte* at);

template <class T, class... Members, std::size_t... indices>
bool members_hold_values(const std::byte* at, TypeList<Members...>,
                         std::index_sequence<indices...>) {
  static constexpr Offsets<Members...> offsets;
  constexpr std::size_t rounded = (offsets.end + alignof(T) - 1) / alignof(T) * alignof(T);
  if constexpr (rounded != sizeof(T)) {
    return true;  // bit-fields, or members with an alignment of their own
  } else {
    return (holds_values<Members>(at + offsets.at[indices]) && ...);
  }
}

template <class T, class... Members>
bool members_hold_values(const std::byte* at, TypeList<Members...> members) {
  return members_hold_values<T>(at, members, std::index_sequence_for<Members...>());
}

/// Whether the bytes of a `T` that a peer has chosen are values wherever that can be told: of
/// `bool` 0 or 1; of an enumeration whose enumerators are found, a value below 64 that has no bit
/// which none of them has (flags may be joined, and what is larger can't be told).
template <class T>
bool holds_values(const std::byte* at) {
  using Plain = std::remove_cv_t<T>;
  if constexpr (!has_checked_values<Plain>()) {
    return true;
  } else if constexpr (std::is_same_v<Plain, bool>) {
    static_assert(sizeof(bool) == 1);
    return *at <= std::byte{1};
  } else if constexpr (std::is_enum_v<Plain>) {
    std::make_unsigned_t<std::underlying_type_t<Plain>> value;
    std::memcpy(&value, at, sizeof value);
    return value >= max_enumerator || (value & ~enumerators_of<Plain>.bits) == 0;
  } else if constexpr (std::is_array_v<Plain> || std_array_size<Plain> != 0) {
    using Element = std::remove_cvref_t<decltype(std::declval<Plain&>()[0])>;
    for (std::size_t offset = 0; offset != sizeof(Plain); offset += sizeof(Element)) {
      if (!holds_values<Element>(at + offset)) return false;
    }
    return true;
  } else {
    return members_hold_values<Plain>(at, MembersOf<Plain>());
  }
}

}  // namespace detail
}  // namespace strait
