#pragma once

#include <time.h>

#include "strait/os/utc_time.hpp"

namespace strait::os {

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
