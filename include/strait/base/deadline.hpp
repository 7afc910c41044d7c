#pragma once

#include <climits>

#include "strait/base/chrono.hpp"

namespace strait::detail {

/// A point on the steady clock at which waiting ends, or never.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline never() { return Deadline((Clock::time_point::max)()); }
  static Deadline now() { return Deadline((Clock::time_point::min)()); }

  /// What is no number, as a `duration<double>` can be, is no time.
  template <class Rep, class Period>
  static Deadline after(std::chrono::duration<Rep, Period> duration) {
    if (!(duration > duration.zero())) return now();
    const auto start = Clock::now();
    // Compared in floating point, in which a duration of any unit and size has a value.
    const std::chrono::duration<double> left = (Clock::time_point::max)() - start;
    if (std::chrono::duration<double>(duration) >= left) return never();
    return Deadline(start + std::chrono::ceil<Clock::duration>(duration));
  }

  static Deadline earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

  friend bool operator==(Deadline, Deadline) = default;

  bool is_never() const { return at_ == (Clock::time_point::max)(); }
  bool is_now() const { return at_ == (Clock::time_point::min)(); }
  bool passed() const { return is_now() || (!is_never() && Clock::now() >= at_); }

  /// What is left, never negative. Not for `never()`.
  Clock::duration left() const {
    if (is_now()) return {};
    const auto left = at_ - Clock::now();
    return left.count() > 0 ? left : Clock::duration{};
  }

  /// What is left, or `limit` if that is less; the clock is only read when it matters.
  Clock::duration left_up_to(Clock::duration limit) const {
    if (is_never()) return limit;
    const auto rest = left();
    return rest < limit ? rest : limit;
  }

  /// What is left as `poll` wants it: rounded up, -1 for ever.
  int poll_milliseconds() const {
    if (is_never()) return -1;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
    return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}

  Clock::time_point at_;
};

}  // namespace strait::detail
