#pragma once

#include <poll.h>

#include <cerrno>

#include "strait/base/deadline.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/wakeup.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// As `poll` and `epoll` know it; they share these bits.
inline short poll_events(const Interest& interest) {
  return static_cast<short>((interest.read ? POLLIN : 0) | (interest.write ? POLLOUT : 0));
}

/// Sleeps until one of the descriptors is ready, a signal comes, the wake-up is signalled, which is
/// then cleared, or the deadline; it may end early.
inline Result<void> wait_for(const Interests& interests, detail::Deadline deadline,
                             const Wakeup* wakeup = nullptr) {
  const Interest also = wakeup != nullptr ? wakeup->interest() : Interest();
  pollfd descriptors[] = {{interests.in.handle, poll_events(interests.in), 0},
                          {interests.out.handle, poll_events(interests.out), 0},
                          {also.handle, poll_events(also), 0}};
  const int ready = ::poll(descriptors, wakeup != nullptr ? 3 : 2, deadline.poll_milliseconds());
  if (ready < 0 && errno != EINTR) return last_error();
  if (ready > 0 && descriptors[2].revents != 0) wakeup->clear();
  return {};
}

/// What of `interest` there is now, without waiting.
inline Readiness ready_now(const Interest& interest) {
  pollfd descriptor{interest.handle, poll_events(interest), 0};
  if (retry([&] { return ::poll(&descriptor, 1, 0); }) <= 0) return {};
  const short events = descriptor.revents;
  return {(events & POLLIN) != 0, (events & POLLOUT) != 0,
          (events & (POLLHUP | POLLERR | POLLNVAL)) != 0};
}

}  // namespace strait::os
