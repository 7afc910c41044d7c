#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "strait/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::posix {

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

inline Result<Descriptor> open(const char* path, int flags, mode_t mode = 0) {
  const int fd = retry([&] { return ::open(path, flags | O_CLOEXEC, mode); });
  if (fd < 0) return last_error();
  return Descriptor(fd);
}

}  // namespace strait::posix
