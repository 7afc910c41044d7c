#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/linux/poll_wait.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/owner_process.hpp"

namespace strait::os {

/// One descriptor that is readable while any of its members is ready.
class WaitSet {
 public:
  WaitSet() = default;

  static Result<WaitSet> create() {
    WaitSet set;
    set.epoll_ = adopt_new(::epoll_create1(EPOLL_CLOEXEC));
    if (!set.epoll_) return last_error();
    return set;
  }

  int native_handle() const { return epoll_.get(); }
  explicit operator bool() const { return static_cast<bool>(epoll_); }
  /// A forked process has a share in the set: what is changed there is changed here, too.
  const OwnerProcess& owner() const { return owner_; }

  /// Adds a descriptor, or changes what of it counts.
  Result<void> watch(const Interest& interest) {
    const int fd = interest.handle;
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(poll_events(interest));
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return {};
    if (errno != ENOENT) return last_error();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return last_error();
    return {};
  }
  static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);

  /// Takes `fd` out.
  void forget(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }
  /// Takes out one that is closed already: such a descriptor leaves by itself.
  void forget_closed(int) {}

  /// Fills `ready` with members that are ready, without waiting, and returns how many there are.
  /// What is left out comes in a later call. The set's own signal is none of them; an
  /// `interrupt` is taken in.
  Result<std::size_t> ready(detail::Slice<int> ready) const {
    std::array<epoll_event, 64> events;
    const int wanted = static_cast<int>(strait::detail::min(ready.size(), events.size()));
    std::size_t found = 0;
    // The signal and the timer may take the only room: then it is the next one's turn.
    for (int attempt = 0; attempt != 3 && found == 0; ++attempt) {
      const int count =
          os::retry([&] { return ::epoll_wait(epoll_.get(), events.data(), wanted, 0); });
      if (count < 0) return last_error();
      for (int i = 0; i != count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == timer_.get()) continue;
        if (fd != event_.get()) {
          ready[found++] = fd;
        } else if (!signalled_) {
          eventfd_t rung;
          ::eventfd_read(fd, &rung);
        }
      }
      if (!signalled_ && !timer_) break;
    }
    return found;
  }

  /// Makes the set ready at a time, once; replaces the time that was set before. Without a
  /// descriptor for that it does nothing.
  void wake_at(strait::detail::Deadline at) {
    if (at == wake_at_) return;
    if (!timer_) {
      timer_ = adopt_new(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
      if (!timer_) return;
      if (!watch(Interest::to_read(timer_.get()))) return timer_.reset();
    }
    itimerspec when{};  // all zeros: never
    if (!at.is_never()) {
      const auto left = at.left().count();
      when.it_value.tv_sec = static_cast<time_t>(left / 1'000'000'000);
      when.it_value.tv_nsec = static_cast<long>(left % 1'000'000'000);
      if (left == 0) when.it_value.tv_nsec = 1;
    }
    if (::timerfd_settime(timer_.get(), 0, &when, nullptr) == 0) wake_at_ = at;
  }

  /// Makes the set ready until `clear`.
  Result<void> signal() {
    if (!event_) {
      event_ = adopt_new(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (!event_) return last_error();
      if (auto added = watch(Interest::to_read(event_.get())); !added) return added;
    }
    if (!signalled_ && ::eventfd_write(event_.get(), 1) != 0) return last_error();
    signalled_ = true;
    return {};
  }

  /// As `signal`, also for a loop that looks at changes only (EPOLLET) and has seen the set ready.
  Result<void> renew() {
    if (signalled_ && ::eventfd_write(event_.get(), 1) != 0) return last_error();
    return signal();
  }

  /// Makes the set ready until `ready`, if it was signalled once before.
  ///
  /// Threads: any. Signals: safe; it leaves `errno` as it was.
  void interrupt() const noexcept {
    const int before = errno;
    ::eventfd_write(event_.get(), 1);
    errno = before;
  }

  void clear() {
    if (!signalled_) return;
    eventfd_t count;
    ::eventfd_read(event_.get(), &count);
    signalled_ = false;
  }

 private:
  Descriptor epoll_;
  Descriptor event_;
  Descriptor timer_;
  strait::detail::Deadline wake_at_ = strait::detail::Deadline::never();
  bool signalled_ = false;
  OwnerProcess owner_;
};

}  // namespace strait::os
