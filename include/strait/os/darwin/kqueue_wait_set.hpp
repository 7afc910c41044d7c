#pragma once

#include <sys/event.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/darwin/kqueue.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/error.hpp"

namespace strait::os {

/// One descriptor that is readable while any of its members is ready: a kqueue, which `poll`,
/// `select` and other kqueues can wait for.
///
/// A FIFO is a vnode to XNU, and a vnode's filter looks at the bytes in it alone: the end of the
/// last writer posts no event (`filt_vnode_common` in bsd/vfs/vfs_vnops.c). So a set with a FIFO in
/// it becomes ready by itself a while after it was calmed, and a loop that looks finds the end.
class WaitSet {
 public:
  WaitSet() = default;

  static Result<WaitSet> create() {
    auto kqueue = Kqueue::create();
    if (!kqueue) return kqueue.error();
    WaitSet set;
    set.kqueue_ = std::move(*kqueue);
    return set;
  }

  int native_handle() const { return kqueue_.get(); }
  explicit operator bool() const { return static_cast<bool>(kqueue_); }
  /// A forked process has no kqueue any more: the system closes them there.
  const OwnerProcess& owner() const { return kqueue_.owner(); }

  /// Adds a descriptor, or changes what of it counts.
  Result<void> watch(const Interest& interest) {
    const int fd = interest.handle;
    struct stat file;
    if (::fstat(fd, &file) != 0) return last_error();
    const bool fifo = S_ISFIFO(file.st_mode) && file.st_dev != 0;  // pipe(2) has no device
    has_fifo_ = has_fifo_ || fifo;
    if (interest.read) {
      if (auto added = change(fd, EVFILT_READ, EV_ADD); !added) return added;
    } else if (fifo) {
      remove(fd, EVFILT_READ);
    } else if (auto added = change(fd, EVFILT_READ, EV_ADD, NOTE_LOWAT, INT_MAX); !added) {
      return added;  // never that much to read, so this is for the end alone
    }
    if (!interest.write) {
      remove(fd, EVFILT_WRITE);
      return {};
    }
    // A FIFO counts as writable with any room, but takes nothing below PIPE_BUF: told once a
    // change, no loop spins over that.
    return change(fd, EVFILT_WRITE, fifo ? EV_ADD | EV_CLEAR : EV_ADD);
  }

  /// Takes out one that is closed already: such a descriptor leaves by itself.
  void forget_closed(int) {}

  /// Takes `fd` out.
  void forget(int fd) {
    remove(fd, EVFILT_READ);
    remove(fd, EVFILT_WRITE);
  }

  /// Fills `ready` with members that are ready, without waiting, and returns how many there are.
  /// What is left out comes in a later call. The set's own signal is none of them; an
  /// `interrupt` is taken in.
  Result<std::size_t> ready(detail::Slice<int> ready) {
    struct kevent events[64];
    const timespec now{};
    const int wanted = static_cast<int>(strait::detail::min(ready.size(), 64));
    const int count =
        retry([&] { return ::kevent(kqueue_.get(), nullptr, 0, events, wanted, &now); });
    if (count < 0) return last_error();
    std::size_t found = 0;
    for (int i = 0; i != count; ++i) {
      if (events[i].filter == EVFILT_USER && !signalled_) remove(0, EVFILT_USER);
      if (events[i].filter == EVFILT_USER || events[i].filter == EVFILT_TIMER) continue;
      const int fd = static_cast<int>(events[i].ident);
      bool known = false;  // by its other filter
      for (std::size_t j = 0; j != found; ++j) known = known || ready[j] == fd;
      if (!known) ready[found++] = fd;
    }
    return found;
  }

  /// Makes the set ready at a time, once; replaces the time that was set before.
  void wake_at(strait::detail::Deadline at) {
    if (at == wake_at_) return;
    remove(own_timer, EVFILT_TIMER);
    wake_at_ = at;
    if (at.is_never()) return;
    constexpr std::int64_t longest = std::int64_t{24} * 3600 * 1'000'000;
    const auto us = std::chrono::ceil<std::chrono::microseconds>(at.left()).count();
    static_cast<void>(change(own_timer, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS,
                             static_cast<std::intptr_t>(us < longest ? us : longest)));
  }

  /// Makes the set ready until `clear`.
  Result<void> signal() { return signalled_ ? Result<void>() : renew(); }

  /// As `signal`, also for a loop that looks at changes only (EV_CLEAR) and has seen the set ready.
  Result<void> renew() {
    if (auto added = change(0, EVFILT_USER, EV_ADD); !added) return added;
    if (auto triggered = change(0, EVFILT_USER, 0, NOTE_TRIGGER); !triggered) return triggered;
    signalled_ = true;
    return {};
  }

  /// Makes the set ready until `ready`.
  ///
  /// Threads: any. Signals: safe, as `kevent` is the system call alone; `errno` stays.
  void interrupt() noexcept {
    const int before = errno;
    static_cast<void>(change(0, EVFILT_USER, EV_ADD));
    static_cast<void>(change(0, EVFILT_USER, 0, NOTE_TRIGGER));
    errno = before;
  }

  void clear() {
    if (signalled_) remove(0, EVFILT_USER);
    signalled_ = false;
    if (!has_fifo_) return;
    // Takes in what is told once only; whatever is ready stays so.
    struct kevent seen[8];
    const timespec now{};
    ::kevent(kqueue_.get(), nullptr, 0, seen, 8, &now);
    static_cast<void>(change(0, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, look_again_ms));
  }

 private:
  static constexpr int look_again_ms = 100;
  static constexpr int own_timer = 1;  // 0 is the one for FIFOs

  Result<void> change(int ident, short filter, int flags, unsigned filter_flags = 0,
                      std::intptr_t data = 0) {
    struct kevent event {};
    event.ident = static_cast<std::uintptr_t>(ident);
    event.filter = filter;
    event.flags = static_cast<std::uint16_t>(flags);
    event.fflags = filter_flags;
    event.data = data;
    if (::kevent(kqueue_.get(), &event, 1, nullptr, 0, nullptr) != 0) return last_error();
    return {};
  }

  /// What is not there needs no taking out.
  void remove(int ident, short filter) { static_cast<void>(change(ident, filter, EV_DELETE)); }

  Kqueue kqueue_;
  strait::detail::Deadline wake_at_ = strait::detail::Deadline::never();
  bool signalled_ = false;
  bool has_fifo_ = false;
};

}  // namespace strait::os
