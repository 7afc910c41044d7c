#pragma once

#include "strait/config.hpp"
#include "strait/result.hpp"

namespace strait {

#if STRAIT_HAS_WINDOWS
/// What the system waits for: a handle of an event or a process.
using NativeHandle = void*;
inline constexpr NativeHandle no_handle = nullptr;
#else
/// What the system waits for: a file descriptor.
using NativeHandle = int;
inline constexpr NativeHandle no_handle = -1;
#endif

/// A handle, or why there is none. Given to a system call it stands for the handle, or for
/// `no_handle`, which every call refuses.
class HandleResult : public Result<NativeHandle> {
 public:
  using Result<NativeHandle>::Result;
  operator NativeHandle() const noexcept { return has_value() ? **this : no_handle; }
};

}  // namespace strait
