#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

inline int standard_error() { return STDERR_FILENO; }

/// Has no signal come of what this thread writes while it lives: SIGPIPE of a pipe without a
/// reader, SIGXFSZ of a file at its limit. Both are errors of `write`, too.
class NoOutputSignals {
 public:
  NoOutputSignals() {
    sigemptyset(&signals_);
    sigset_t pending;
    sigemptyset(&pending);
    ::sigpending(&pending);
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
      // One that has come before is the program's.
      if (!sigismember(&pending, signal)) sigaddset(&signals_, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~NoOutputSignals() {
    if (failed) take_back();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoOutputSignals(const NoOutputSignals&) = delete;
  NoOutputSignals& operator=(const NoOutputSignals&) = delete;

  /// A write has failed, so that there may be a signal.
  bool failed = false;

 private:
  void take_back() {
    sigset_t pending;
    sigemptyset(&pending);
    ::sigpending(&pending);
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
      if (!sigismember(&pending, signal) || !sigismember(&signals_, signal)) continue;
      sigset_t one;
      sigemptyset(&one);
      sigaddset(&one, signal);
      int taken;
      ::sigwait(&one, &taken);
    }
  }

  sigset_t signals_;
  sigset_t before_;
};

/// Writes a text by one system call, so that those of several threads and processes do not mix.
///
/// Errors: the system's; ENOSPC if only a part was written.
inline Result<void> write_once(int fd, std::string_view text) {
  NoOutputSignals quiet;
  const ssize_t put = retry([&] { return ::write(fd, text.data(), text.size()); });
  if (put == static_cast<ssize_t>(text.size())) return {};
  const int error = put < 0 ? errno : ENOSPC;
  quiet.failed = true;
  return system_error(error);
}

/// Writes two pieces, one behind the other, however many system calls it takes.
inline Result<void> write_all(int fd, std::span<const std::byte> first,
                              std::span<const std::byte> second) {
  NoOutputSignals quiet;
  while (!first.empty() || !second.empty()) {
    const std::array<iovec, 2> parts{{{const_cast<std::byte*>(first.data()), first.size()},
                                      {const_cast<std::byte*>(second.data()), second.size()}}};
    const ssize_t put = retry([&] { return ::writev(fd, parts.data(), 2); });
    if (put <= 0) {
      const int error = put < 0 ? errno : ENOSPC;
      quiet.failed = true;
      return system_error(error);
    }
    const auto bytes = static_cast<std::size_t>(put);
    const std::size_t of_first = bytes < first.size() ? bytes : first.size();
    first = first.subspan(of_first);
    second = second.subspan(bytes - of_first);
  }
  return {};
}

/// Makes a new file that this user alone may read, in the place of one that may be there, and
/// follows no link.
///
/// Errors: the system's; `std::errc::file_exists` if another user's file can't be removed.
inline Result<Descriptor> replace_file(const std::string& path) {
  ::unlink(path.c_str());
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

/// Never waits, as it would for the writer of a FIFO. Errors: the system's.
inline Result<Descriptor> open_to_read(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/// Cuts a file. Errors: the system's.
inline Result<void> cut_file(int fd, std::uint64_t bytes) {
  const int cut = retry([&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); });
  return cut == 0 ? Result<void>() : last_error();
}

/// Reads up to so many bytes: fewer at the end of the file only.
///
/// Errors: the system's.
inline Result<std::size_t> read_up_to(int fd, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done != out.size()) {
    const ssize_t got = retry([&] { return ::read(fd, out.data() + done, out.size() - done); });
    if (got < 0) return last_error();
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace strait::os
