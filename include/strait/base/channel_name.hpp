#pragma once

#include <cstddef>
#include <string_view>

#include "strait/result.hpp"

namespace strait::detail {

inline constexpr std::size_t max_name_bytes = 64;
inline constexpr std::size_t max_path_bytes = 100;

constexpr bool is_path(std::string_view name) { return name.starts_with('/'); }

/// A name is a plain word of 1 to 64 ASCII letters, digits, '.', '-' and '_' that does not begin
/// with a dot; or an absolute path of at most 100 bytes, any but zero, that ends neither with a
/// slash nor with `.` or `..` as its last part. (A socket's address has room for little more,
/// and the socket may lie in a directory that the path names.)
///
/// Errors: `invalid_name`.
inline Result<void> check_name(std::string_view name) {
  if (is_path(name)) {
    const std::string_view last = name.substr(name.find_last_of('/') + 1);
    const bool usable = name.size() <= max_path_bytes && !last.empty() && last != "." &&
                        last != ".." && name.find('\0') == name.npos;
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
