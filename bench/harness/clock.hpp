#pragma once

#include <time.h>

#include <cstdint>

namespace bench {

/// Nanoseconds of a clock that both processes share.
inline std::uint64_t now_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace bench
