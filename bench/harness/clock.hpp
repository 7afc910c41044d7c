#pragma once

#include <time.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace bench {

inline std::uint64_t clock_ns(clockid_t clock) noexcept {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Nanoseconds of a clock that both processes share.
inline std::uint64_t now_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }

/// Makes so many round trips, and then times one for each sample. The clock is read once for each.
template <class RoundTrip>
void time_round_trips(std::size_t warm_up, std::span<std::uint64_t> samples,
                      const RoundTrip& round_trip) {
  for (std::size_t i = 0; i < warm_up; ++i) round_trip();
  std::uint64_t before = now_ns();
  for (std::uint64_t& sample : samples) {
    round_trip();
    const std::uint64_t after = now_ns();
    sample = after - before;
    before = after;
  }
}

/// For how long this process has run so far, all threads together.
inline std::uint64_t cpu_ns() noexcept { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace bench
