#pragma once

#include <unistd.h>

namespace strait::os {

/// Remembers the process in which an object was made. After `fork` the other process has a copy of
/// the object, whose end must not undo for both what the object stands for.
class OwnerProcess {
 public:
  bool is_this() const noexcept { return process_ == ::getpid(); }

 private:
  pid_t process_ = ::getpid();
};

}  // namespace strait::os
