#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "strait/base/deadline.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/wakeup.hpp"
#include "strait/result.hpp"

/// `select` without the limit of FD_SETSIZE, by the name that <sys/select.h> gives it under
/// _DARWIN_UNLIMITED_SELECT, which a header can't define in time.
extern "C" int strait_unlimited_select(int, void*, void*, void*,
                                       timeval*) __asm("_select$DARWIN_EXTSN");

namespace strait::os {

/// A set of descriptors as `select` wants it.
class SelectBits {
 public:
  static constexpr int max_fd = (1 << 14) - 1;

  void add(int fd) {
    bits_[static_cast<std::size_t>(fd) / 32] |= std::uint32_t{1} << (fd % 32);
    if (fd >= end_) end_ = fd + 1;
  }
  bool has(int fd) const {
    return (bits_[static_cast<std::size_t>(fd) / 32] >> (fd % 32) & 1) != 0;
  }
  int end() const { return end_; }
  void* data() { return bits_.data(); }

 private:
  std::array<std::uint32_t, (max_fd + 1) / 32> bits_{};
  int end_ = 0;
};

inline int select(SelectBits& read, SelectBits& write, timeval* limit) {
  const int end = read.end() > write.end() ? read.end() : write.end();
  return ::strait_unlimited_select(end, read.data(), write.data(), nullptr, limit);
}

/// Sleeps until one of the descriptors is ready, a signal comes, the wake-up is signalled, which is
/// then cleared, or the deadline; it may end early.
///
/// By `select`, because XNU's `poll` stands on the filters of kqueue, to which a FIFO never ends
/// (see `WaitSet`), while `select` asks the socket underneath (`fifo_select` in
/// bsd/miscfs/fifofs/fifo_vnops.c), which knows of the end and how much room a writer needs.
inline Result<void> wait_for(const Interests& interests, detail::Deadline deadline,
                             const Wakeup* wakeup = nullptr) {
  // What `select` can't be asked, that is the end of a descriptor alone, is looked for by the way.
  constexpr std::chrono::milliseconds look_again{100};
  SelectBits read;
  SelectBits write;
  const Interest also = wakeup != nullptr ? wakeup->interest() : Interest();
  for (const Interest& one : {interests.in, interests.out, also}) {
    if (!one) continue;
    if (!(one.read || one.write) || one.handle > SelectBits::max_fd) {
      deadline = detail::Deadline::earlier(deadline, detail::Deadline::after(look_again));
    }
    if (one.handle > SelectBits::max_fd) continue;
    if (one.read) read.add(one.handle);
    if (one.write) write.add(one.handle);
  }
  timeval limit{};
  if (!deadline.is_never()) {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline.left()).count();
    // XNU turns down more than 100 million seconds.
    const auto most = decltype(left){100'000'000} * 1'000'000 - 1;
    limit.tv_sec = static_cast<time_t>((left < most ? left : most) / 1'000'000);
    limit.tv_usec = static_cast<suseconds_t>(left % 1'000'000);
  }
  const int ready = os::select(read, write, deadline.is_never() ? nullptr : &limit);
  if (ready < 0 && errno != EINTR) return last_error();
  // Cleared also when it can't be asked: then it is looked for by the way.
  if (ready > 0 && wakeup != nullptr &&
      (also.handle > SelectBits::max_fd || read.has(also.handle))) {
    wakeup->clear();
  }
  return {};
}

/// What of `interest` there is now, without waiting. A FIFO, pipe or stream with nothing to read
/// and no writer any more has ended, until a `read` has told that. Not for a listening socket.
inline Readiness ready_now(const Interest& interest) {
  const int fd = interest.handle;
  if (fd < 0 || fd > SelectBits::max_fd) {
    const int events = (interest.read ? POLLIN : 0) | (interest.write ? POLLOUT : 0);
    pollfd descriptor{fd, static_cast<short>(events), 0};
    if (retry([&] { return ::poll(&descriptor, 1, 0); }) <= 0) return {};
    const int found = descriptor.revents;
    return {(found & POLLIN) != 0, (found & POLLOUT) != 0,
            (found & (POLLHUP | POLLERR | POLLNVAL)) != 0};
  }
  SelectBits read;
  SelectBits write;
  read.add(fd);
  if (interest.write) write.add(fd);
  timeval limit{};
  if (retry([&] { return os::select(read, write, &limit); }) <= 0) return {};
  Readiness found{false, write.has(fd), false};
  if (read.has(fd)) {
    found.read = interest.read;
    int bytes = 0;
    found.ended = ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0;
  }
  return found;
}

}  // namespace strait::os
