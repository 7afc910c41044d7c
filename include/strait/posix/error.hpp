#pragma once

#include <cerrno>
#include <system_error>

namespace strait::posix {

inline std::error_code system_error(int number) { return {number, std::system_category()}; }
inline std::error_code last_error() { return system_error(errno); }

/// What passes when somebody gives back a descriptor or memory.
inline bool is_exhaustion(const std::error_code& error) {
  return error.category() == std::system_category() &&
         (error.value() == EMFILE || error.value() == ENFILE || error.value() == ENOMEM ||
          error.value() == ENOBUFS || error.value() == ENOSPC);
}

/// Calls until a signal does not interrupt it.
template <class Call>
auto retry(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace strait::posix
