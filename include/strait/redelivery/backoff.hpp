#pragma once

#include <cstdint>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/redelivery/frame.hpp"

namespace strait::detail {

/// When to try again: after pauses that double, each cut at random by up to a half, so that the
/// clients of a server that restarts do not come all at once.
class Backoff {
 public:
  using Clock = Deadline::Clock;

  Backoff(std::chrono::milliseconds shortest, std::chrono::milliseconds longest)
      : shortest_(shortest), longest_(longest), pause_(shortest) {}

  /// A connection has come about.
  void connected() { connected_at_ = Clock::now(); }

  /// The time of the next attempt, after one that failed or a connection that ended. One that has
  /// lasted longer than the longest pause was no failure: the pauses begin anew.
  Deadline next() {
    if (connected_at_ != (Clock::time_point::max)() && Clock::now() - connected_at_ > longest_) {
      pause_ = shortest_;
    }
    connected_at_ = (Clock::time_point::max)();
    const std::chrono::nanoseconds whole = pause_;
    pause_ = 2 * pause_ < longest_ ? 2 * pause_ : longest_;
    const std::uint64_t half = static_cast<std::uint64_t>(whole.count()) / 2;
    // Without the system's random source all clients come at once.
    const std::uint64_t cut = random_id().value_or(1) % (half + 1);
    return Deadline::after(whole - std::chrono::nanoseconds(static_cast<std::int64_t>(cut)));
  }

 private:
  std::chrono::milliseconds shortest_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds pause_;
  Clock::time_point connected_at_ = (Clock::time_point::max)();
};

}  // namespace strait::detail
