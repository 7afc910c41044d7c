#pragma once

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

}  // namespace strait::os
