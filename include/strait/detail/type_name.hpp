#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace strait::detail {

/// A type's own name without its namespaces, the same from every compiler.
template <class T>
consteval std::string_view type_name() {
  // Compilers write `unsigned long` in their own ways, too. Widths are told apart by size.
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_floating_point_v<T>)
    return "float";
  else if constexpr (std::is_integral_v<T>)
    return std::is_signed_v<T> ? "int" : "unsigned";

  std::string_view name =
      __PRETTY_FUNCTION__;  // ... [with T = ns::Ping; ...] or ... [T = ns::Ping]
  name.remove_prefix(name.find("T = ") + 4);
  name = name.substr(0, name.find_first_of(";]"));
  // Compilers write template arguments in their own ways; sizes tell such types apart.
  name = name.substr(0, name.find('<'));
  const std::size_t scope = name.rfind("::");
  return scope == name.npos ? name : name.substr(scope + 2);
}

/// FNV-1a: enough to tell schemas apart by accident; the token is what keeps enemies out.
inline constexpr std::uint64_t fnv_basis = 0xcbf2'9ce4'8422'2325;

constexpr std::uint64_t fnv(std::uint64_t hash, std::uint64_t value) {
  for (int i = 0; i != 8; ++i, value >>= 8) hash = (hash ^ (value & 255)) * 0x100'0000'01b3;
  return hash;
}

constexpr std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = fnv(hash, static_cast<std::uint64_t>(c));
  return hash;
}

}  // namespace strait::detail
