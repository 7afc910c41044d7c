#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "strait/os/windows/api.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Not here: what of a file's access control list lets others in is no matter of a few bits.
///
/// Errors: `unsupported`.
inline Result<void> read_secret(const char*, char*, std::size_t) { return Errc::unsupported; }
inline Result<void> create_secret(const std::string&, std::string_view) {
  return Errc::unsupported;
}

}  // namespace strait::windows
