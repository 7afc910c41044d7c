#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);  // never retried: the number is free again even after EINTR
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

/// Owns a descriptor that a system call has just made. The number of a standard stream, which is
/// free in a process that has closed that stream, is exchanged for a higher one: what such a
/// process prints must not go to a file or a socket of the library's.
///
/// Null, and `errno` says why, when the call has failed or this process has no higher number left.
inline Descriptor adopt_new(int fd) noexcept {
  Descriptor made(fd);
  if (fd >= 0 && fd <= STDERR_FILENO) [[unlikely]] {
    made.reset(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  return made;
}

/// Another descriptor for the same open file. Null, and `errno` says why, if there is none left.
inline Descriptor duplicate(int fd) noexcept { return adopt_new(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

inline Result<Descriptor> open(const char* path, int flags, mode_t mode = 0) {
  Descriptor file = adopt_new(retry([&] { return ::open(path, flags | O_CLOEXEC, mode); }));
  if (!file) return last_error();
  return file;
}

}  // namespace strait::os
