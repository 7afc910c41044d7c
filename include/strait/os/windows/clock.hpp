#pragma once

#include "strait/os/windows/api.hpp"

namespace strait::windows {

/// A date and the time of the day, of Greenwich.
struct UtcTime {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int microsecond = 0;
};

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
