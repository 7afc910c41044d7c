#pragma once

#include <cerrno>
#include <system_error>

namespace strait::os {

inline std::error_code system_error(int number) { return {number, std::system_category()}; }
inline std::error_code last_error() { return system_error(errno); }

/// What passes when a descriptor is given back or memory.
inline bool is_exhaustion(const std::error_code& error) {
  if (error == std::errc::not_enough_memory) return true;  // also from the heap
  return error.category() == std::system_category() &&
         (error.value() == EMFILE || error.value() == ENFILE || error.value() == ENOBUFS ||
          error.value() == ENOSPC || error.value() == ETOOMANYREFS);
}

/// What this process is not allowed to do, or the system can't, now and later.
inline bool is_permanent(const std::error_code& error) {
  return error.category() == std::system_category() &&
         (error.value() == EPERM || error.value() == EACCES || error.value() == ENOSYS ||
          error.value() == EFBIG || error.value() == ENODEV);
}

/// Calls until a signal does not interrupt it.
template <class Call>
auto retry(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace strait::os
