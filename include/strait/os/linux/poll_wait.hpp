#pragma once

#include <poll.h>

#include <cerrno>

#include "strait/base/deadline.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/interest.hpp"
#include "strait/os/wakeup.hpp"
#include "strait/result.hpp"

namespace strait::posix {

/// Sleeps until one of the descriptors is ready, a signal comes, the wake-up is signalled, which is
/// then cleared, or the deadline; it may end early.
inline Result<void> wait_for(const Interest& interest, detail::Deadline deadline,
                             const Wakeup* wakeup = nullptr) {
  pollfd descriptors[] = {interest.in, interest.out, {-1, 0, 0}};
  if (wakeup != nullptr) descriptors[2] = wakeup->interest();
  const int ready = ::poll(descriptors, wakeup != nullptr ? 3 : 2, deadline.poll_milliseconds());
  if (ready < 0 && errno != EINTR) return last_error();
  if (ready > 0 && descriptors[2].revents != 0) wakeup->clear();
  return {};
}

/// The events that are on `fd` now, without waiting.
inline short events_now(int fd, short events) {
  pollfd descriptor{fd, events, 0};
  if (retry([&] { return ::poll(&descriptor, 1, 0); }) <= 0) return 0;
  return descriptor.revents;
}

}  // namespace strait::posix
