#pragma once

#include <sys/eventfd.h>

#include <cerrno>

#include "strait/os/interest.hpp"
#include "strait/os/posix/descriptor.hpp"

namespace strait::os {

/// A descriptor that any thread and any signal handler can make readable.
class Wakeup {
 public:
  Wakeup() = default;

  static Result<Wakeup> create() {
    Wakeup wakeup;
    wakeup.event_ = adopt_new(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wakeup.event_) return last_error();
    return wakeup;
  }

  /// Signals: safe. It leaves `errno` as it was.
  void signal() const noexcept {
    const int before = errno;
    ::eventfd_write(event_.get(), 1);
    errno = before;
  }
  void clear() const noexcept {
    eventfd_t count;
    ::eventfd_read(event_.get(), &count);
  }

  Interest interest() const { return Interest::to_read(event_.get()); }

 private:
  Descriptor event_;
};

}  // namespace strait::os
