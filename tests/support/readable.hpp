#pragma once

#include <chrono>

#include "strait/config.hpp"
#include "strait/os/native_handle.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/api.hpp"
#else
#include <poll.h>
#endif

namespace strait_test {

/// What a loop of the user's own does with `native_handle()`: waits for it, so long.
inline bool readable_within(strait::NativeHandle handle, std::chrono::milliseconds time) {
#if STRAIT_HAS_WINDOWS
  return ::WaitForSingleObject(handle, static_cast<DWORD>(time.count())) == WAIT_OBJECT_0;
#else
  pollfd entry{handle, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(time.count())) == 1;
#endif
}

/// The same for two: whether one of them is ready.
inline bool one_readable_within(strait::NativeHandle a, strait::NativeHandle b,
                                std::chrono::milliseconds time) {
#if STRAIT_HAS_WINDOWS
  const HANDLE handles[] = {a, b};
  return ::WaitForMultipleObjects(2, handles, FALSE, static_cast<DWORD>(time.count())) <
         WAIT_OBJECT_0 + 2;
#else
  pollfd entries[] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
  return ::poll(entries, 2, static_cast<int>(time.count())) > 0;
#endif
}

}  // namespace strait_test
