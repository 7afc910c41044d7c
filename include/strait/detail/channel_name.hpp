#pragma once

#include <cstddef>
#include <string_view>

#include "strait/result.hpp"

namespace strait::detail {

inline constexpr std::size_t max_name_bytes = 64;
inline constexpr std::size_t max_path_bytes = 100;

constexpr bool is_path(std::string_view name) { return name.starts_with('/'); }

/// A name is a plain word of letters, digits, '.', '-' and '_' that does not begin with a dot, or
/// an absolute path.
///
/// Errors: `invalid_name`.
inline Result<void> check_name(std::string_view name) {
  if (is_path(name)) {
    const bool usable = name.size() > 1 && name.size() <= max_path_bytes && !name.ends_with('/') &&
                        name.find('\0') == name.npos;
    return usable ? Result<void>() : Errc::invalid_name;
  }
  if (name.empty() || name.size() > max_name_bytes || name.front() == '.') {
    return Errc::invalid_name;
  }
  for (const char c : name) {
    const bool usable = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    if (!usable) return Errc::invalid_name;
  }
  return {};
}

}  // namespace strait::detail
