#pragma once

#include <cstdint>
#include <string_view>

#include "strait/base/type_name.hpp"
#include "strait/fwd.hpp"

namespace strait::detail {

/// What a program calls the type of a message that has this tag; empty if that is not known.
template <class SerializerT>
struct MessageName {
  static std::string_view of(std::uint16_t) { return {}; }
};

/// That of one in a list.
template <class... Ts>
struct NameInList {
  static std::string_view of(std::uint16_t tag) {
    static constexpr std::string_view names[] = {type_name<Ts>()...};
    return tag < sizeof...(Ts) ? names[tag] : std::string_view();
  }
};
template <class... Ts>
struct MessageName<TrivialSerializer<Ts...>> : NameInList<Ts...> {};
template <class... Ts>
struct MessageName<StructSerializer<Ts...>> : NameInList<Ts...> {};
template <class... Base, class... Later>
struct MessageName<StructSerializer<Evolving<Base...>, Later...>> : NameInList<Base..., Later...> {
};

}  // namespace strait::detail
