#pragma once

#include <cstdint>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/fwd.hpp"
#include "strait/os/processor.hpp"

namespace strait {

/// Sleeps at once. Choose it where CPU time matters more than a wake-up (some 5 to 50 us).
struct Block {
  static constexpr std::chrono::nanoseconds spin_time{0};
};

/// Never sleeps. Choose it for a thread that has a core of its own and nothing else to do.
struct Spin {
  static constexpr std::chrono::nanoseconds spin_time = (std::chrono::nanoseconds::max)();
};

/// Spins for about as long as a wake-up would cost, then sleeps. The default.
template <std::uint32_t Microseconds>
struct SpinThenBlock {
  static constexpr std::chrono::nanoseconds spin_time = std::chrono::microseconds{Microseconds};
};

namespace detail {

/// Spins in the way of a policy, and less often when it does not pay: then no answer comes within
/// the time of a wake-up, or the peer can't even run because it shares this core.
template <class WaitPolicy>
class Spinner {
 public:
  /// Spins until `ready()` or as long as the policy and the deadline allow; says what `ready()`
  /// said last.
  template <class Ready>
  bool operator()(Ready&& ready, Deadline deadline) {
    if (ready()) return true;
    if constexpr (WaitPolicy::spin_time.count() > 0) {
      if (os::single_processor() || deadline.is_now()) return false;
      if constexpr (sleeps) {
        if (skip_ != 0) {
          --skip_;
          return false;
        }
      }
      // An answer that is quick is there before it is worth to ask for the time.
      if (brief(ready)) return true;
      const Deadline end = Deadline::earlier(deadline, Deadline::after(turn));
      do {
        if (brief(ready)) return true;
      } while (!end.passed());
      // In vain, so the next 1, 3, 7, 15, 31 waits sleep at once.
      pause_ = pause_ < longest_pause ? 2 * pause_ + 1 : longest_pause;
      skip_ = pause_;
    }
    return false;
  }

 private:
  static constexpr bool sleeps = WaitPolicy::spin_time != (std::chrono::nanoseconds::max)();
  /// A policy that never sleeps comes up for air, too: a peer's death shows only in a system call.
  static constexpr auto turn =
      sleeps ? WaitPolicy::spin_time : std::chrono::nanoseconds{std::chrono::milliseconds{1}};
  static constexpr std::uint32_t longest_pause = 31;

  template <class Ready>
  bool brief(Ready& ready) {
    for (int i = 0; i != 64; ++i) {
      if (ready()) {
        pause_ = 0;
        return true;
      }
      os::pause_processor();
    }
    return false;
  }

  std::uint32_t pause_ = 0;
  std::uint32_t skip_ = 0;
};

}  // namespace detail
}  // namespace strait
