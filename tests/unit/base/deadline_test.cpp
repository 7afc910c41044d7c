#include <strait/base/deadline.hpp>

#include <chrono>
#include <climits>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using strait::detail::Deadline;
using namespace std::chrono_literals;

TEST_CASE("now has passed, and never never does", "[deadline]") {
  CHECK(Deadline::now().passed());
  CHECK(Deadline::now().is_now());
  CHECK(Deadline::now().left() == Deadline::Clock::duration::zero());
  CHECK(Deadline::now().poll_milliseconds() == 0);
  CHECK_FALSE(Deadline::never().passed());
  CHECK(Deadline::never().is_never());
  CHECK(Deadline::never().poll_milliseconds() == -1);
}

TEST_CASE("no time at all, or less, is now", "[deadline]") {
  CHECK(Deadline::after(0s).is_now());
  CHECK(Deadline::after(-1ns).is_now());
  CHECK(Deadline::after(std::chrono::hours::min()).is_now());
  CHECK(Deadline::after(std::chrono::duration<double>(-0.5)).is_now());
}

TEST_CASE("what is not a number is no time, and no infinity is waited for below zero",
          "[deadline]") {
  using Limits = std::numeric_limits<double>;
  CHECK(Deadline::after(std::chrono::duration<double>(Limits::quiet_NaN())).is_now());
  CHECK(Deadline::after(std::chrono::duration<double>(-Limits::quiet_NaN())).is_now());
  CHECK(Deadline::after(std::chrono::duration<float, std::milli>(NAN)).is_now());
  CHECK(Deadline::after(std::chrono::duration<long double, std::nano>(NAN)).is_now());
  CHECK(Deadline::after(std::chrono::duration<double>(-Limits::infinity())).is_now());
  CHECK(Deadline::after(std::chrono::duration<float>(std::numeric_limits<float>::infinity()))
            .is_never());
  CHECK(Deadline::after(std::chrono::duration<double>(Limits::max())).is_never());
  CHECK(Deadline::after(std::chrono::duration<double>(Limits::lowest())).is_now());
  CHECK_FALSE(Deadline::after(std::chrono::duration<double>(Limits::denorm_min())).is_never());
}

TEST_CASE("more time than the clock has is never", "[deadline]") {
  CHECK(Deadline::after(std::chrono::nanoseconds::max()).is_never());
  CHECK(Deadline::after(std::chrono::milliseconds::max()).is_never());
  CHECK(Deadline::after(std::chrono::hours::max()).is_never());
  CHECK(Deadline::after(std::chrono::duration<std::int64_t, std::ratio<31'556'952>>::max())
            .is_never());
  CHECK(Deadline::after(std::chrono::duration<double>(std::numeric_limits<double>::infinity()))
            .is_never());
}

TEST_CASE("time in between runs out", "[deadline]") {
  const auto hour = Deadline::after(1h);
  CHECK_FALSE(hour.passed());
  CHECK_FALSE(hour.is_now());
  CHECK_FALSE(hour.is_never());
  CHECK(hour.left() <= 1h);
  CHECK(hour.left() > 59min);
  CHECK(hour.poll_milliseconds() > 59 * 60 * 1000);
  const auto soon = Deadline::after(1ns);
  while (!soon.passed()) {
  }
  CHECK(soon.left() == Deadline::Clock::duration::zero());
  CHECK(soon.poll_milliseconds() == 0);
}

TEST_CASE("waiting is rounded up, so that a poll does not come back early for ever", "[deadline]") {
  const auto deadline = Deadline::after(500us);
  const int milliseconds = deadline.poll_milliseconds();
  CHECK((milliseconds == 1 || deadline.passed()));
  CHECK(Deadline::after(std::chrono::hours(24) * 365).poll_milliseconds() == INT_MAX);
}

TEST_CASE("the earlier of two deadlines is the one that comes first", "[deadline]") {
  const auto soon = Deadline::after(1h);
  const auto late = Deadline::after(2h);
  CHECK(Deadline::earlier(soon, late).left() <= 1h);
  CHECK(Deadline::earlier(late, soon).left() <= 1h);
  CHECK(Deadline::earlier(soon, Deadline::never()).left() <= 1h);
  CHECK(Deadline::earlier(Deadline::never(), Deadline::now()).is_now());
}
