#pragma once

#include <time.h>

#include <cstdint>

namespace bench {

inline std::uint64_t clock_ns(clockid_t clock) noexcept {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Nanoseconds of a clock that both processes share.
inline std::uint64_t now_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }

/// For how long this process has run so far, all threads together.
inline std::uint64_t cpu_ns() noexcept { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace bench
