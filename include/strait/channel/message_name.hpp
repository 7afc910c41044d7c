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

template <class... Ts>
struct MessageName<TrivialSerializer<Ts...>> {
  static std::string_view of(std::uint16_t tag) {
    static constexpr std::string_view names[] = {type_name<Ts>()...};
    return tag < sizeof...(Ts) ? names[tag] : std::string_view();
  }
};

}  // namespace strait::detail
