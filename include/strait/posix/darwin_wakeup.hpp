#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "strait/posix/descriptor.hpp"

namespace strait::posix {

/// A descriptor that any thread and any signal handler can make readable: a pipe to this process
/// itself, since of the calls that POSIX allows to a signal handler only `write` wakes a `select`.
class Wakeup {
 public:
  Wakeup() = default;

  static Result<Wakeup> create() {
    int ends[2];
    if (::pipe(ends) != 0) return last_error();
    Wakeup wakeup;
    wakeup.in_.reset(ends[0]);
    wakeup.out_.reset(ends[1]);
    for (const int fd : ends) {
      if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return last_error();
      }
    }
    return wakeup;
  }

  /// Signals: safe. It leaves `errno` as it was.
  void signal() const noexcept {
    const int before = errno;
    const char byte = 0;
    static_cast<void>(::write(out_.get(), &byte, 1) < 0);  // a full pipe is readable, too
    errno = before;
  }
  void clear() const noexcept {
    std::array<char, 256> bytes;
    while (::read(in_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    }
  }

  pollfd interest() const { return {in_.get(), POLLIN, 0}; }

 private:
  Descriptor in_;
  Descriptor out_;
};

}  // namespace strait::posix
