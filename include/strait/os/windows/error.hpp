#pragma once

#include <system_error>

#include "strait/os/windows/api.hpp"

namespace strait::windows {

inline std::error_code system_error(DWORD number) {
  return {static_cast<int>(number), std::system_category()};
}
inline std::error_code last_error() { return system_error(::GetLastError()); }

/// What passes when a handle is given back or memory.
inline bool is_exhaustion(const std::error_code& error) {
  if (error == std::errc::not_enough_memory) return true;  // also from the heap
  if (error.category() != std::system_category()) return false;
  switch (static_cast<DWORD>(error.value())) {
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NONPAGED_SYSTEM_RESOURCES:
    case ERROR_PAGED_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_NOT_ENOUGH_QUOTA: return true;
    default: return false;
  }
}

/// What this process is not allowed to do, or the system can't, now and later.
inline bool is_permanent(const std::error_code& error) {
  if (error.category() != std::system_category()) return false;
  switch (static_cast<DWORD>(error.value())) {
    case ERROR_ACCESS_DENIED:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED: return true;
    default: return false;
  }
}

}  // namespace strait::windows
