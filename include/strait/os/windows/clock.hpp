#pragma once

#include "strait/os/utc_time.hpp"
#include "strait/os/windows/api.hpp"

namespace strait::windows {

using os::UtcTime;

inline UtcTime utc_time() {
  FILETIME now;
  ::GetSystemTimePreciseAsFileTime(&now);
  SYSTEMTIME date;
  ::FileTimeToSystemTime(&now, &date);
  ULARGE_INTEGER units;  // of 100 ns
  units.LowPart = now.dwLowDateTime;
  units.HighPart = now.dwHighDateTime;
  return {date.wYear,
          date.wMonth,
          date.wDay,
          date.wHour,
          date.wMinute,
          date.wSecond,
          static_cast<int>(units.QuadPart % 10'000'000 / 10)};
}

}  // namespace strait::windows
