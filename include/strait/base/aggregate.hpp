#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

// The members of an aggregate and their types, without a word of help from its author. The long
// lists are what it takes in C++20: a structured binding has a fixed number of names.

namespace strait::detail {

template <class... Ts>
struct TypeList {};

inline constexpr std::size_t max_members = 40;

// clang-format off
// Each list is the one before it and one more.
#define STRAIT_LISTS_1 {}
#define STRAIT_LISTS_2 STRAIT_LISTS_1, {}
#define STRAIT_LISTS_3 STRAIT_LISTS_2, {}
#define STRAIT_LISTS_4 STRAIT_LISTS_3, {}
#define STRAIT_LISTS_5 STRAIT_LISTS_4, {}
#define STRAIT_LISTS_6 STRAIT_LISTS_5, {}
#define STRAIT_LISTS_7 STRAIT_LISTS_6, {}
#define STRAIT_LISTS_8 STRAIT_LISTS_7, {}
#define STRAIT_LISTS_9 STRAIT_LISTS_8, {}
#define STRAIT_LISTS_10 STRAIT_LISTS_9, {}
#define STRAIT_LISTS_11 STRAIT_LISTS_10, {}
#define STRAIT_LISTS_12 STRAIT_LISTS_11, {}
#define STRAIT_LISTS_13 STRAIT_LISTS_12, {}
#define STRAIT_LISTS_14 STRAIT_LISTS_13, {}
#define STRAIT_LISTS_15 STRAIT_LISTS_14, {}
#define STRAIT_LISTS_16 STRAIT_LISTS_15, {}
#define STRAIT_LISTS_17 STRAIT_LISTS_16, {}
#define STRAIT_LISTS_18 STRAIT_LISTS_17, {}
#define STRAIT_LISTS_19 STRAIT_LISTS_18, {}
#define STRAIT_LISTS_20 STRAIT_LISTS_19, {}
#define STRAIT_LISTS_21 STRAIT_LISTS_20, {}
#define STRAIT_LISTS_22 STRAIT_LISTS_21, {}
#define STRAIT_LISTS_23 STRAIT_LISTS_22, {}
#define STRAIT_LISTS_24 STRAIT_LISTS_23, {}
#define STRAIT_LISTS_25 STRAIT_LISTS_24, {}
#define STRAIT_LISTS_26 STRAIT_LISTS_25, {}
#define STRAIT_LISTS_27 STRAIT_LISTS_26, {}
#define STRAIT_LISTS_28 STRAIT_LISTS_27, {}
#define STRAIT_LISTS_29 STRAIT_LISTS_28, {}
#define STRAIT_LISTS_30 STRAIT_LISTS_29, {}
#define STRAIT_LISTS_31 STRAIT_LISTS_30, {}
#define STRAIT_LISTS_32 STRAIT_LISTS_31, {}
#define STRAIT_LISTS_33 STRAIT_LISTS_32, {}
#define STRAIT_LISTS_34 STRAIT_LISTS_33, {}
#define STRAIT_LISTS_35 STRAIT_LISTS_34, {}
#define STRAIT_LISTS_36 STRAIT_LISTS_35, {}
#define STRAIT_LISTS_37 STRAIT_LISTS_36, {}
#define STRAIT_LISTS_38 STRAIT_LISTS_37, {}
#define STRAIT_LISTS_39 STRAIT_LISTS_38, {}
#define STRAIT_LISTS_40 STRAIT_LISTS_39, {}
#define STRAIT_NAMES_1 m0
#define STRAIT_NAMES_2 STRAIT_NAMES_1, m1
#define STRAIT_NAMES_3 STRAIT_NAMES_2, m2
#define STRAIT_NAMES_4 STRAIT_NAMES_3, m3
#define STRAIT_NAMES_5 STRAIT_NAMES_4, m4
#define STRAIT_NAMES_6 STRAIT_NAMES_5, m5
#define STRAIT_NAMES_7 STRAIT_NAMES_6, m6
#define STRAIT_NAMES_8 STRAIT_NAMES_7, m7
#define STRAIT_NAMES_9 STRAIT_NAMES_8, m8
#define STRAIT_NAMES_10 STRAIT_NAMES_9, m9
#define STRAIT_NAMES_11 STRAIT_NAMES_10, m10
#define STRAIT_NAMES_12 STRAIT_NAMES_11, m11
#define STRAIT_NAMES_13 STRAIT_NAMES_12, m12
#define STRAIT_NAMES_14 STRAIT_NAMES_13, m13
#define STRAIT_NAMES_15 STRAIT_NAMES_14, m14
#define STRAIT_NAMES_16 STRAIT_NAMES_15, m15
#define STRAIT_NAMES_17 STRAIT_NAMES_16, m16
#define STRAIT_NAMES_18 STRAIT_NAMES_17, m17
#define STRAIT_NAMES_19 STRAIT_NAMES_18, m18
#define STRAIT_NAMES_20 STRAIT_NAMES_19, m19
#define STRAIT_NAMES_21 STRAIT_NAMES_20, m20
#define STRAIT_NAMES_22 STRAIT_NAMES_21, m21
#define STRAIT_NAMES_23 STRAIT_NAMES_22, m22
#define STRAIT_NAMES_24 STRAIT_NAMES_23, m23
#define STRAIT_NAMES_25 STRAIT_NAMES_24, m24
#define STRAIT_NAMES_26 STRAIT_NAMES_25, m25
#define STRAIT_NAMES_27 STRAIT_NAMES_26, m26
#define STRAIT_NAMES_28 STRAIT_NAMES_27, m27
#define STRAIT_NAMES_29 STRAIT_NAMES_28, m28
#define STRAIT_NAMES_30 STRAIT_NAMES_29, m29
#define STRAIT_NAMES_31 STRAIT_NAMES_30, m30
#define STRAIT_NAMES_32 STRAIT_NAMES_31, m31
#define STRAIT_NAMES_33 STRAIT_NAMES_32, m32
#define STRAIT_NAMES_34 STRAIT_NAMES_33, m33
#define STRAIT_NAMES_35 STRAIT_NAMES_34, m34
#define STRAIT_NAMES_36 STRAIT_NAMES_35, m35
#define STRAIT_NAMES_37 STRAIT_NAMES_36, m36
#define STRAIT_NAMES_38 STRAIT_NAMES_37, m37
#define STRAIT_NAMES_39 STRAIT_NAMES_38, m38
#define STRAIT_NAMES_40 STRAIT_NAMES_39, m39
#define STRAIT_TYPES_1 decltype(m0)
#define STRAIT_TYPES_2 STRAIT_TYPES_1, decltype(m1)
#define STRAIT_TYPES_3 STRAIT_TYPES_2, decltype(m2)
#define STRAIT_TYPES_4 STRAIT_TYPES_3, decltype(m3)
#define STRAIT_TYPES_5 STRAIT_TYPES_4, decltype(m4)
#define STRAIT_TYPES_6 STRAIT_TYPES_5, decltype(m5)
#define STRAIT_TYPES_7 STRAIT_TYPES_6, decltype(m6)
#define STRAIT_TYPES_8 STRAIT_TYPES_7, decltype(m7)
#define STRAIT_TYPES_9 STRAIT_TYPES_8, decltype(m8)
#define STRAIT_TYPES_10 STRAIT_TYPES_9, decltype(m9)
#define STRAIT_TYPES_11 STRAIT_TYPES_10, decltype(m10)
#define STRAIT_TYPES_12 STRAIT_TYPES_11, decltype(m11)
#define STRAIT_TYPES_13 STRAIT_TYPES_12, decltype(m12)
#define STRAIT_TYPES_14 STRAIT_TYPES_13, decltype(m13)
#define STRAIT_TYPES_15 STRAIT_TYPES_14, decltype(m14)
#define STRAIT_TYPES_16 STRAIT_TYPES_15, decltype(m15)
#define STRAIT_TYPES_17 STRAIT_TYPES_16, decltype(m16)
#define STRAIT_TYPES_18 STRAIT_TYPES_17, decltype(m17)
#define STRAIT_TYPES_19 STRAIT_TYPES_18, decltype(m18)
#define STRAIT_TYPES_20 STRAIT_TYPES_19, decltype(m19)
#define STRAIT_TYPES_21 STRAIT_TYPES_20, decltype(m20)
#define STRAIT_TYPES_22 STRAIT_TYPES_21, decltype(m21)
#define STRAIT_TYPES_23 STRAIT_TYPES_22, decltype(m22)
#define STRAIT_TYPES_24 STRAIT_TYPES_23, decltype(m23)
#define STRAIT_TYPES_25 STRAIT_TYPES_24, decltype(m24)
#define STRAIT_TYPES_26 STRAIT_TYPES_25, decltype(m25)
#define STRAIT_TYPES_27 STRAIT_TYPES_26, decltype(m26)
#define STRAIT_TYPES_28 STRAIT_TYPES_27, decltype(m27)
#define STRAIT_TYPES_29 STRAIT_TYPES_28, decltype(m28)
#define STRAIT_TYPES_30 STRAIT_TYPES_29, decltype(m29)
#define STRAIT_TYPES_31 STRAIT_TYPES_30, decltype(m30)
#define STRAIT_TYPES_32 STRAIT_TYPES_31, decltype(m31)
#define STRAIT_TYPES_33 STRAIT_TYPES_32, decltype(m32)
#define STRAIT_TYPES_34 STRAIT_TYPES_33, decltype(m33)
#define STRAIT_TYPES_35 STRAIT_TYPES_34, decltype(m34)
#define STRAIT_TYPES_36 STRAIT_TYPES_35, decltype(m35)
#define STRAIT_TYPES_37 STRAIT_TYPES_36, decltype(m36)
#define STRAIT_TYPES_38 STRAIT_TYPES_37, decltype(m37)
#define STRAIT_TYPES_39 STRAIT_TYPES_38, decltype(m38)
#define STRAIT_TYPES_40 STRAIT_TYPES_39, decltype(m39)
#define STRAIT_FOR_EACH_COUNT(USE) \
  USE(1)  USE(2)  USE(3)  USE(4)  USE(5)  USE(6)  USE(7)  USE(8)  USE(9)  USE(10) \
  USE(11)  USE(12)  USE(13)  USE(14)  USE(15)  USE(16)  USE(17)  USE(18)  USE(19)  USE(20) \
  USE(21)  USE(22)  USE(23)  USE(24)  USE(25)  USE(26)  USE(27)  USE(28)  USE(29)  USE(30) \
  USE(31)  USE(32)  USE(33)  USE(34)  USE(35)  USE(36)  USE(37)  USE(38)  USE(39)  USE(40)

/// Whether `T` can be initialized by so many empty lists: each of them stands for one member, also
/// for one that is an array.
template <class T, std::size_t count>
consteval bool takes_lists() {
#define STRAIT_USE(n) else if constexpr (count == n) return requires { T{STRAIT_LISTS_##n}; };
  if constexpr (count == 0) return true;
  STRAIT_FOR_EACH_COUNT(STRAIT_USE)
  else return false;
#undef STRAIT_USE
}

/// Whether a member, with the lists before it, can be initialized by a `Probe`.
template <class T, std::size_t index, class Probe>
consteval bool takes_probe() {
#define STRAIT_USE(n) \
  else if constexpr (index == n) return requires { T{STRAIT_LISTS_##n, Probe{}}; };
  if constexpr (index == 0) return requires { T{Probe{}}; };
  STRAIT_FOR_EACH_COUNT(STRAIT_USE)
  else return false;
#undef STRAIT_USE
}

template <std::size_t count, class T>
constexpr auto members_of([[maybe_unused]] T& object) {
#define STRAIT_USE(n)                  \
  else if constexpr (count == n) {     \
    auto& [STRAIT_NAMES_##n] = object; \
    return TypeList<STRAIT_TYPES_##n>{}; \
  }
  if constexpr (count == 0) return TypeList<>{};
  STRAIT_FOR_EACH_COUNT(STRAIT_USE)
#undef STRAIT_USE
}

/// Calls `use` with references to the members of `object`, in their order, of which there are
/// `count`.
template <std::size_t count, class T, class Use>
constexpr decltype(auto) with_members([[maybe_unused]] T& object, Use&& use) {
#define STRAIT_USE(n)                  \
  else if constexpr (count == n) {     \
    auto& [STRAIT_NAMES_##n] = object; \
    return use(STRAIT_NAMES_##n);      \
  }
  if constexpr (count == 0) return use();
  STRAIT_FOR_EACH_COUNT(STRAIT_USE)
#undef STRAIT_USE
}

#undef STRAIT_FOR_EACH_COUNT
#undef STRAIT_LISTS_1
#undef STRAIT_LISTS_2
#undef STRAIT_LISTS_3
#undef STRAIT_LISTS_4
#undef STRAIT_LISTS_5
#undef STRAIT_LISTS_6
#undef STRAIT_LISTS_7
#undef STRAIT_LISTS_8
#undef STRAIT_LISTS_9
#undef STRAIT_LISTS_10
#undef STRAIT_LISTS_11
#undef STRAIT_LISTS_12
#undef STRAIT_LISTS_13
#undef STRAIT_LISTS_14
#undef STRAIT_LISTS_15
#undef STRAIT_LISTS_16
#undef STRAIT_LISTS_17
#undef STRAIT_LISTS_18
#undef STRAIT_LISTS_19
#undef STRAIT_LISTS_20
#undef STRAIT_LISTS_21
#undef STRAIT_LISTS_22
#undef STRAIT_LISTS_23
#undef STRAIT_LISTS_24
#undef STRAIT_LISTS_25
#undef STRAIT_LISTS_26
#undef STRAIT_LISTS_27
#undef STRAIT_LISTS_28
#undef STRAIT_LISTS_29
#undef STRAIT_LISTS_30
#undef STRAIT_LISTS_31
#undef STRAIT_LISTS_32
#undef STRAIT_LISTS_33
#undef STRAIT_LISTS_34
#undef STRAIT_LISTS_35
#undef STRAIT_LISTS_36
#undef STRAIT_LISTS_37
#undef STRAIT_LISTS_38
#undef STRAIT_LISTS_39
#undef STRAIT_LISTS_40
#undef STRAIT_NAMES_1
#undef STRAIT_NAMES_2
#undef STRAIT_NAMES_3
#undef STRAIT_NAMES_4
#undef STRAIT_NAMES_5
#undef STRAIT_NAMES_6
#undef STRAIT_NAMES_7
#undef STRAIT_NAMES_8
#undef STRAIT_NAMES_9
#undef STRAIT_NAMES_10
#undef STRAIT_NAMES_11
#undef STRAIT_NAMES_12
#undef STRAIT_NAMES_13
#undef STRAIT_NAMES_14
#undef STRAIT_NAMES_15
#undef STRAIT_NAMES_16
#undef STRAIT_NAMES_17
#undef STRAIT_NAMES_18
#undef STRAIT_NAMES_19
#undef STRAIT_NAMES_20
#undef STRAIT_NAMES_21
#undef STRAIT_NAMES_22
#undef STRAIT_NAMES_23
#undef STRAIT_NAMES_24
#undef STRAIT_NAMES_25
#undef STRAIT_NAMES_26
#undef STRAIT_NAMES_27
#undef STRAIT_NAMES_28
#undef STRAIT_NAMES_29
#undef STRAIT_NAMES_30
#undef STRAIT_NAMES_31
#undef STRAIT_NAMES_32
#undef STRAIT_NAMES_33
#undef STRAIT_NAMES_34
#undef STRAIT_NAMES_35
#undef STRAIT_NAMES_36
#undef STRAIT_NAMES_37
#undef STRAIT_NAMES_38
#undef STRAIT_NAMES_39
#undef STRAIT_NAMES_40
#undef STRAIT_TYPES_1
#undef STRAIT_TYPES_2
#undef STRAIT_TYPES_3
#undef STRAIT_TYPES_4
#undef STRAIT_TYPES_5
#undef STRAIT_TYPES_6
#undef STRAIT_TYPES_7
#undef STRAIT_TYPES_8
#undef STRAIT_TYPES_9
#undef STRAIT_TYPES_10
#undef STRAIT_TYPES_11
#undef STRAIT_TYPES_12
#undef STRAIT_TYPES_13
#undef STRAIT_TYPES_14
#undef STRAIT_TYPES_15
#undef STRAIT_TYPES_16
#undef STRAIT_TYPES_17
#undef STRAIT_TYPES_18
#undef STRAIT_TYPES_19
#undef STRAIT_TYPES_20
#undef STRAIT_TYPES_21
#undef STRAIT_TYPES_22
#undef STRAIT_TYPES_23
#undef STRAIT_TYPES_24
#undef STRAIT_TYPES_25
#undef STRAIT_TYPES_26
#undef STRAIT_TYPES_27
#undef STRAIT_TYPES_28
#undef STRAIT_TYPES_29
#undef STRAIT_TYPES_30
#undef STRAIT_TYPES_31
#undef STRAIT_TYPES_32
#undef STRAIT_TYPES_33
#undef STRAIT_TYPES_34
#undef STRAIT_TYPES_35
#undef STRAIT_TYPES_36
#undef STRAIT_TYPES_37
#undef STRAIT_TYPES_38
#undef STRAIT_TYPES_39
#undef STRAIT_TYPES_40
// clang-format on

/// Becomes a base class of `T`, and nothing else.
template <class T>
struct BaseProbe {
  template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
  operator Base() const;
};
/// Becomes a union, and nothing else.
struct UnionProbe {
  template <class Member>
    requires(std::is_union_v<Member>)
  operator Member() const;
};
/// Becomes anything.
struct AnyProbe {
  template <class Member>
  operator Member() const;
};

/// How many members an aggregate has, by halving; `max_members` if it has as many or more.
template <class T, std::size_t low = 0, std::size_t high = max_members>
consteval std::size_t count_members() {
  if constexpr (high - low <= 1) {
    return takes_lists<T, high>() ? high : low;
  } else {
    constexpr std::size_t middle = (low + high) / 2;
    if constexpr (takes_lists<T, middle>()) {
      return count_members<T, middle, high>();
    } else {
      return count_members<T, low, middle - 1>();
    }
  }
}

template <class T, std::size_t count>
consteval bool has_union_member() {
  if constexpr (count == 0) {
    return false;
  } else {
    return takes_probe<T, count - 1, UnionProbe>() || has_union_member<T, count - 1>();
  }
}

/// Whether the members of a `T` can be listed: an aggregate without bases and without unions, of
/// which every member has a default, and of less than `max_members`.
template <class T>
consteval bool is_transparent() {
  if constexpr (!std::is_aggregate_v<T> || std::is_array_v<T> || std::is_union_v<T> ||
                std::is_empty_v<T>) {
    return false;
  } else if constexpr (takes_probe<T, 0, BaseProbe<T>>() || takes_lists<T, max_members>()) {
    return false;
  } else {
    constexpr std::size_t count = count_members<T>();
    return count != 0 && !takes_probe<T, count, AnyProbe>() && !has_union_member<T, count>();
  }
}

/// Their types, of a `T` that is transparent.
template <class T>
using MembersOf = decltype(members_of<count_members<T>()>(std::declval<T&>()));

}  // namespace strait::detail
