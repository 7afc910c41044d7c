#pragma once

#include <climits>
#include <cstdint>

#include "strait/base/chrono.hpp"

namespace strait::detail {

/// A point on the steady clock at which waiting ends, or never.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline never() { return Deadline(INT64_MAX); }
  static Deadline now() { return Deadline(INT64_MIN); }

  /// What is no number, as a `duration<double>` can be, is no time.
  template <class Rep, class Period>
  static Deadline after(std::chrono::duration<Rep, Period> duration) {
    if (!(duration > duration.zero())) return now();
    const std::int64_t start = clock();
    // Compared in floating point, in which a duration of any unit and size has a value.
    const std::chrono::duration<double> left = Clock::duration(INT64_MAX - start);
    if (std::chrono::duration<double>(duration) >= left) return never();
    return Deadline(start + std::chrono::ceil<Clock::duration>(duration).count());
  }

  static Deadline earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

  friend bool operator==(Deadline, Deadline) = default;

  bool is_never() const { return at_ == INT64_MAX; }
  bool is_now() const { return at_ == INT64_MIN; }
  bool passed() const { return is_now() || (!is_never() && clock() >= at_); }

  /// What is left, never negative. Not for `never()`.
  Clock::duration left() const { return Clock::duration(nanoseconds_left()); }

  /// What is left, or `limit` if that is less; the clock is only read when it matters.
  Clock::duration left_up_to(Clock::duration limit) const {
    if (is_never()) return limit;
    const std::int64_t rest = nanoseconds_left();
    return rest < limit.count() ? Clock::duration(rest) : limit;
  }

  /// What is left as `poll` wants it: rounded up, -1 for ever.
  int poll_milliseconds() const {
    if (is_never()) return -1;
    constexpr std::int64_t millisecond = 1'000'000;
    const std::int64_t rest = nanoseconds_left();
    const std::int64_t ms = rest / millisecond + (rest % millisecond != 0);
    return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
  }

 private:
  static_assert(sizeof(Clock::rep) == 8 && Clock::period::num == 1 &&
                    Clock::period::den == 1'000'000'000,
                "strait: the steady clock has to count nanoseconds in 64 bits.");

  explicit Deadline(std::int64_t at) : at_(at) {}

  static std::int64_t clock() { return Clock::now().time_since_epoch().count(); }
  std::int64_t nanoseconds_left() const {
    if (is_now()) return 0;
    const std::int64_t left = at_ - clock();
    return left > 0 ? left : 0;
  }

  // A plain number, for the clock's own comparisons take a compiler much longer.
  std::int64_t at_;
};

}  // namespace strait::detail
