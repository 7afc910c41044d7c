#pragma once

#include <time.h>

namespace strait::os {

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
  timespec now{};
  static_cast<void>(::timespec_get(&now, TIME_UTC));
  tm date{};
  ::gmtime_r(&now.tv_sec, &date);
  return {date.tm_year + 1900,
          date.tm_mon + 1,
          date.tm_mday,
          date.tm_hour,
          date.tm_min,
          date.tm_sec,
          static_cast<int>(now.tv_nsec / 1000)};
}

}  // namespace strait::os
