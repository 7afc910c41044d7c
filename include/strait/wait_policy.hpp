#pragma once

#include <chrono>
#include <cstdint>

#include "strait/detail/deadline.hpp"
#include "strait/fwd.hpp"
#include "strait/posix/processor.hpp"

namespace strait {

/// Sleeps at once. Choose it where CPU time matters more than a wake-up (some 5 to 50 us).
struct Block {
  static constexpr std::chrono::nanoseconds spin_time{0};
};

/// Never sleeps. Choose it for a thread that has a core of its own and nothing else to do.
struct Spin {
  static constexpr std::chrono::nanoseconds spin_time = std::chrono::nanoseconds::max();
};

/// Spins for about as long as a wake-up would cost, then sleeps. The default.
template <std::uint32_t Microseconds>
struct SpinThenBlock {
  static constexpr std::chrono::nanoseconds spin_time = std::chrono::microseconds{Microseconds};
};

namespace detail {

/// Spins until `ready()` or as long as the policy and the deadline allow; says what `ready()` said
/// last. On a machine with one core spinning would only keep the peer from running: it returns.
template <class WaitPolicy, class Ready>
bool spin(Ready&& ready, Deadline deadline) {
  if (ready()) return true;
  if constexpr (WaitPolicy::spin_time.count() > 0) {
    if (posix::single_processor() || deadline.is_now()) return false;
    // A policy that never sleeps comes up for air, too: a peer's death shows only in a system call.
    constexpr auto longest = std::chrono::nanoseconds{std::chrono::milliseconds{1}};
    constexpr auto turn = WaitPolicy::spin_time < longest ? WaitPolicy::spin_time : longest;
    const Deadline end = Deadline::earlier(deadline, Deadline::after(turn));
    do {
      for (int i = 0; i != 64; ++i) {
        if (ready()) return true;
        posix::pause_processor();
      }
    } while (!end.passed());
  }
  return false;
}

}  // namespace detail
}  // namespace strait
