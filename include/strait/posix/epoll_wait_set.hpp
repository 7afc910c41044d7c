#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "strait/posix/descriptor.hpp"

namespace strait::posix {

/// One descriptor that is readable while any of its members is ready.
class WaitSet {
 public:
  WaitSet() = default;

  static Result<WaitSet> create() {
    WaitSet set;
    set.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!set.epoll_) return last_error();
    return set;
  }

  int native_handle() const { return epoll_.get(); }
  explicit operator bool() const { return static_cast<bool>(epoll_); }

  /// Adds `fd`, or changes what of it counts; `events` as for `poll`.
  Result<void> watch(int fd, short events) {
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(events);  // the two interfaces share these bits
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return {};
    if (errno != ENOENT) return last_error();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return last_error();
    return {};
  }
  static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);

  /// Takes `fd` out. A closed descriptor leaves by itself.
  void forget(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  /// Makes the set ready until `calm`.
  Result<void> nudge() {
    if (!nudge_) {
      nudge_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (!nudge_) return last_error();
      if (auto added = watch(nudge_.get(), POLLIN); !added) return added;
    }
    if (!nudged_ && ::eventfd_write(nudge_.get(), 1) != 0) return last_error();
    nudged_ = true;
    return {};
  }

  void calm() {
    if (!nudged_) return;
    eventfd_t count;
    ::eventfd_read(nudge_.get(), &count);
    nudged_ = false;
  }

 private:
  Descriptor epoll_;
  Descriptor nudge_;
  bool nudged_ = false;
};

}  // namespace strait::posix
