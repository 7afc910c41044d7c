#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "strait/base/aggregate.hpp"
#include "strait/base/structure.hpp"
#include "strait/base/type_name.hpp"
#include "strait/serializers/struct/kinds.hpp"

// What two builds must agree on, found in one walk over the types, which also refuses what can't
// be sent.

namespace strait::detail::structs {

struct Schema {
  std::uint64_t hash = fnv_basis;
  /// The largest alignment of the elements of a view.
  std::size_t view_alignment = 1;

  constexpr void add(std::uint64_t value) { hash = fnv(hash, value); }
  constexpr void add(std::string_view text) { hash = fnv(hash, text); }
  constexpr void add(const Schema& part) {
    add(part.hash);
    if (part.view_alignment > view_alignment) view_alignment = part.view_alignment;
  }
};

/// A type's name without scopes and arguments, which compilers spell in their own ways; nothing for
/// a type that has none.
template <class T>
consteval std::string_view plain_name() {
  const std::string_view name = type_name<T>();
  return name.find_first_of("({<") == name.npos ? name : std::string_view();
}

/// How many members the first release of a message type had; 0 if it is no aggregate.
template <class T>
consteval std::size_t base_members() {
  if constexpr (kind<T> != Kind::aggregate) {
    return 0;
  } else if constexpr (requires { T::schema_base_members; }) {
    static_assert(T::schema_base_members > 0 && T::schema_base_members <= count_members<T>(),
                  "strait: schema_base_members is at least 1 and at most what this type has.");
    return T::schema_base_members;
  } else {
    return count_members<T>();
  }
}

template <std::size_t count, class T>
consteval bool has_bit_fields() {
  using Members = decltype(members_of<count>(std::declval<T&>()));
  return []<class... Ts>(TypeList<Ts...>) {
    return Offsets<Ts...>().end > sizeof(T) && !(std::is_empty_v<Ts> || ...);
  }(Members());
}

template <class T>
consteval void refuse() {
  constexpr bool pointer =
      std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;
  static_assert(!pointer,
                "strait: a raw pointer means nothing in another process; send what it points to, "
                "or own that with a std::unique_ptr.");
  static_assert(!std::is_union_v<T>,
                "strait: nothing tells which member of a union is alive; make it a std::variant.");
  static_assert(!std::is_polymorphic_v<T>,
                "strait: a type with virtual functions can't be made from bytes; send the data "
                "that it has.");
  if constexpr (std::is_aggregate_v<T> && std::is_class_v<T> && !std::is_empty_v<T>) {
    constexpr bool many = takes_lists<T, max_struct_members + 1>();
    static_assert(!many,
                  "strait: a struct in a message has at most 32 members; put some of them into a "
                  "struct of their own.");
    constexpr bool base = takes_probe<T, 0, BaseProbe<T>>();
    static_assert(base || many || !has_union_member<T, count_members<T>()>(),
                  "strait: nothing tells which member of a union is alive; make it a "
                  "std::variant.");
    static_assert(!base,
                  "strait: the members of a base class can't be listed; make the base a member, "
                  "or specialize strait::StructTraits.");
    static_assert(many || base || has_union_member<T, count_members<T>()>(),
                  "strait: a reference means nothing in another process, and what has no default "
                  "can't be read; make the member a value that has one.");
  } else {
    static_assert(pointer || std::is_union_v<T> || std::is_polymorphic_v<T>,
                  "strait: StructSerializer can't see into this type; specialize "
                  "strait::StructTraits for it.");
  }
}

template <class T, class... Above>
consteval Schema describe();

template <class... Above, class... Ts>
consteval Schema describe_all(Schema schema, TypeList<Ts...>, TypeList<Above...>) {
  (..., schema.add(describe<Ts, Above...>()));
  return schema;
}

template <class T>
consteval Schema begin_aggregate(std::size_t members) {
  static_assert(!has_bit_fields<count_members<T>(), T>(),
                "strait: nothing can refer to a bit-field; make it a member of its own.");
  Schema schema;
  schema.add('s');
  schema.add(members);
  schema.add(plain_name<T>());
  schema.add(version_of<T>());
  return schema;
}

template <class T, class... Above>
consteval Schema describe_list(char as) {
  using Element = std::remove_cv_t<typename T::value_type>;
  Schema schema;
  schema.add(static_cast<std::uint64_t>(as));
  schema.add(list_alignment<Element>);
  schema.add(describe<Element, Above...>());
  return schema;
}

template <class T>
consteval void check_view() {
  if constexpr (is_span<T>) {
    constexpr bool read_only = std::is_const_v<typename T::element_type>;
    static_assert(read_only && T::extent == std::dynamic_extent,
                  "strait: what a view shows lies in the message, which can't be written, and has "
                  "any size; make it a std::span<const T>.");
  }
  using Element = typename T::value_type;
  static_assert(flat<Element>,
                "strait: what a view shows is read where it lies, so it is of numbers, or of "
                "structs of numbers without padding; make it a std::vector.");
  static_assert(alignof(Element) <= 64, "strait: messages are aligned to 64 bytes at the most.");
}

/// `Above` are the aggregates that this is a part of, so that a type which contains itself ends.
template <class T, class... Above>
consteval Schema describe_part() {
  constexpr Kind of = kind<T>;
  Schema schema;
  if constexpr (of == Kind::refused) {
    refuse<T>();
  } else if constexpr (of == Kind::scalar || of == Kind::boolean) {
    schema.add(structure_hash<T>());
  } else if constexpr (of == Kind::enumeration) {
    using Underlying = std::underlying_type_t<T>;
    if constexpr (Ranged<T> || std::is_same_v<Underlying, bool>) {
      schema.add('r');
      schema.add(structure_hash<Underlying>());
      schema.add(plain_name<T>());
      schema.add(version_of<T>());
      if constexpr (Ranged<T>) {
        schema.add(static_cast<std::uint64_t>(StructTraits<T>::min));
        schema.add(static_cast<std::uint64_t>(StructTraits<T>::max));
      }
    } else {
      schema.add(structure_hash<T>());
    }
  } else if constexpr (of == Kind::empty) {
    schema.add('n');
    schema.add(plain_name<T>());
    schema.add(version_of<T>());
  } else if constexpr (of == Kind::array) {
    schema.add('a');
    schema.add(ArrayOf<T>::size);
    schema.add(describe<typename ArrayOf<T>::Element, Above...>());
  } else if constexpr (of == Kind::aggregate) {
    return describe_all(begin_aggregate<T>(count_members<T>()), MembersOf<T>(),
                        TypeList<T, Above...>());
  } else if constexpr (of == Kind::tuple) {
    schema.add('t');
    schema.add(std::tuple_size_v<T>);
    return describe_all(schema, TypesOf<T>(), TypeList<Above...>());
  } else if constexpr (of == Kind::view) {
    check_view<T>();
    schema = describe_list<T, Above...>('l');
    schema.view_alignment = list_alignment<typename T::value_type>;
  } else if constexpr (of == Kind::sequence) {
    schema = describe_list<T, Above...>('l');
  } else if constexpr (of == Kind::map) {
    schema.add('m');
    schema.add(describe<typename T::key_type, Above...>());
    schema.add(describe<typename T::mapped_type, Above...>());
  } else if constexpr (of == Kind::optional) {
    schema.add('o');
    schema.add(describe<typename T::value_type, Above...>());
  } else if constexpr (of == Kind::owner) {
    schema.add('o');
    schema.add(describe<typename T::element_type, Above...>());
  } else if constexpr (of == Kind::variant) {
    static_assert(AlternativesOf<T>::count <= 255,
                  "strait: a variant in a message has at most 255 alternatives.");
    schema.add('v');
    schema.add(AlternativesOf<T>::count);
    return describe_all(schema, typename AlternativesOf<T>::Types(), TypeList<Above...>());
  } else if constexpr (of == Kind::duration) {
    schema.add('d');
    schema.add(static_cast<std::uint64_t>(T::period::num));
    schema.add(static_cast<std::uint64_t>(T::period::den));
    schema.add(describe<typename T::rep, Above...>());
  } else if constexpr (of == Kind::time_point) {
    schema.add('c');
    schema.add(plain_name<typename T::clock>());
    schema.add(describe<typename T::duration, Above...>());
  } else {
    schema.add('p');
    schema.add(plain_name<T>());
    schema.add(version_of<T>());
    schema.add(describe<RepresentationOf<T>, Above...>());
  }
  return schema;
}

/// Of which of these the place, from 1, is a `T`; 0 if none.
template <class T, class... Above>
consteval std::size_t place_above() {
  std::size_t place = 0;
  std::size_t found = 0;
  static_cast<void>(((++place, std::is_same_v<T, Above> && (found = place, true)) || ...));
  return found;
}

template <class T, class... Above>
consteval Schema describe() {
  static_assert(!std::is_reference_v<T>,
                "strait: a reference means nothing in another process; make the member a value.");
  static_assert(std::is_reference_v<T> || !std::is_const_v<T> || std::is_pointer_v<T>,
                "strait: a const member can't be read; make it one that can be assigned to.");
  if constexpr (std::is_reference_v<T>) {
    return {};
  } else if constexpr (constexpr std::size_t place = place_above<T, Above...>(); place != 0) {
    Schema schema;
    schema.add('^');
    schema.add(place);
    return schema;
  } else {
    return describe_part<std::remove_cv_t<T>, Above...>();
  }
}

/// Of a message type of which only the first `members` count; 0 stands for all that it has.
template <class T, std::size_t members = 0>
consteval Schema describe_message() {
  if constexpr (kind<T> == Kind::aggregate) {
    constexpr std::size_t counting = members == 0 ? count_members<T>() : members;
    Schema schema = begin_aggregate<T>(counting);
    [&]<class... Ts>(TypeList<Ts...>) {
      std::size_t at = 0;
      const auto add = [&](const Schema& part) {
        const std::uint64_t before = schema.hash;
        schema.add(part);
        if (at++ >= counting) schema.hash = before;
      };
      (..., add(describe<Ts>()));
    }(MembersOf<T>());
    return schema;
  } else {
    return describe<T>();
  }
}

template <class T>
inline constexpr Schema message_schema = describe_message<T>();

/// By which an appended member is recognized.
template <class T>
inline constexpr std::uint32_t digest = static_cast<std::uint32_t>(describe<T>().hash >> 32);

/// By which a message of a type that was appended to the list is recognized.
template <class T>
inline constexpr std::uint32_t message_digest =
    static_cast<std::uint32_t>(describe_message<T, base_members<T>()>().hash >> 32);

template <class... Ts>
consteval std::uint64_t hash_of_list(TypeList<>) {
  Schema schema;
  (..., schema.add(message_schema<Ts>));
  return schema.hash;
}

/// Of types whose members and number may grow.
template <class... Ts, class... Base>
consteval std::uint64_t hash_of_list(TypeList<Base...>) requires(sizeof...(Base) > 0) {
  Schema schema;
  schema.add('+');
  (..., schema.add(describe_message<Base, base_members<Base>()>()));
  return schema.hash;
}

// Those of each type that the hash of the list is made of.
template <class... Ts>
consteval std::array<std::uint64_t, sizeof...(Ts)> hashes_of_list(TypeList<>) {
  return {message_schema<Ts>.hash...};
}
template <class... Ts, class... Base>
consteval std::array<std::uint64_t, sizeof...(Base)> hashes_of_list(TypeList<Base...>) requires(
    sizeof...(Base) > 0) {
  return {describe_message<Base, base_members<Base>()>().hash...};
}

}  // namespace strait::detail::structs
