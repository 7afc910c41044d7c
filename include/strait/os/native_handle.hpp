#pragma once

#include "strait/result.hpp"

namespace strait {

/// What the system waits for: a file descriptor.
using NativeHandle = int;
inline constexpr NativeHandle no_handle = -1;

/// A handle, or why there is none. Given to a system call it stands for the handle, or for
/// `no_handle`, which every call refuses.
class HandleResult : public Result<NativeHandle> {
 public:
  using Result<NativeHandle>::Result;
  operator NativeHandle() const noexcept { return has_value() ? **this : no_handle; }
};

}  // namespace strait
