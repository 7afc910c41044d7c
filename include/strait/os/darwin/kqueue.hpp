#pragma once

#include <fcntl.h>
#include <sys/event.h>

#include <utility>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Owns a kqueue. A forked process does not inherit it: its number is free there, or soon another
/// file's.
class Kqueue {
 public:
  Kqueue() = default;
  Kqueue(Kqueue&&) = default;
  Kqueue& operator=(Kqueue&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~Kqueue() {
    if (!owner_.is_this()) static_cast<void>(descriptor_.release());
  }

  /// Errors: the system's.
  static Result<Kqueue> create() {
    Kqueue queue;
    queue.descriptor_ = adopt_new(::kqueue());
    // An exec would leave it open.
    if (!queue.descriptor_ || ::fcntl(queue.get(), F_SETFD, FD_CLOEXEC) != 0) return last_error();
    return queue;
  }

  int get() const noexcept { return descriptor_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(descriptor_); }
  const OwnerProcess& owner() const { return owner_; }

 private:
  Descriptor descriptor_;
  OwnerProcess owner_;
};

}  // namespace strait::os
