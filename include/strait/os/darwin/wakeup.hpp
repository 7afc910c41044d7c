#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "strait/os/darwin/descriptors.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/descriptor.hpp"

namespace strait::os {

/// A descriptor that any thread and any signal handler can make readable: a pipe to this process
/// itself, since of the calls that POSIX allows to a signal handler only `write` wakes a `select`.
class Wakeup {
 public:
  Wakeup() = default;

  static Result<Wakeup> create() {
    auto ends = pipe_pair();
    if (!ends) return ends.error();
    Wakeup wakeup;
    wakeup.in_ = std::move((*ends)[0]);
    wakeup.out_ = std::move((*ends)[1]);
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

  Interest interest() const { return Interest::to_read(in_.get()); }

 private:
  Descriptor in_;
  Descriptor out_;
};

}  // namespace strait::os
