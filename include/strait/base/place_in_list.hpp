#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace strait::detail {

/// A list of types in which the place of each is found by one overload resolution, however long the
/// list is.
template <std::uint16_t index, class T>
struct Place {};
template <class Indices, class... Ts>
struct Places;
template <std::size_t... indices, class... Ts>
struct Places<std::index_sequence<indices...>, Ts...>
    : Place<static_cast<std::uint16_t>(indices), Ts>... {};

template <class T, std::uint16_t index>
std::integral_constant<std::uint16_t, index> place_in(const Place<index, T>*);

template <class T, class List>
concept PlacedIn = requires(const List* list) {
  detail::place_in<T>(list);
};

/// The place of one in the list.
template <class T, class List>
inline constexpr std::uint16_t index_in =
    decltype(detail::place_in<T>(static_cast<const List*>(nullptr)))::value;

}  // namespace strait::detail
