#pragma once

#include "strait/base/deadline.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/wakeup.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// What is left until the deadline as the system's waits want it: rounded up, `INFINITE` for ever.
inline DWORD wait_milliseconds(strait::detail::Deadline deadline) {
  return static_cast<DWORD>(deadline.poll_milliseconds());
}

/// Whether a handle is set now; one that can't be waited for is not.
inline bool is_set(HANDLE handle) { return ::WaitForSingleObject(handle, 0) == WAIT_OBJECT_0; }

/// Sleeps until one of the handles is set, the wake-up is signalled, which is then cleared, or the
/// deadline. A handle that is to be ready for nothing, which elsewhere shows its end, is left out:
/// here what waits for room hears of the peer's end by that.
inline Result<void> wait_for(const Interests& interests, strait::detail::Deadline deadline,
                             const Wakeup* wakeup = nullptr) {
  HANDLE handles[3];
  DWORD count = 0;
  const auto add = [&](const Interest& interest) {
    if (interest && (interest.read || interest.write)) handles[count++] = interest.handle;
  };
  add(interests.in);
  if (interests.out.handle != interests.in.handle || count == 0) add(interests.out);
  if (wakeup != nullptr) add(wakeup->interest());
  const DWORD milliseconds = wait_milliseconds(deadline);
  if (count == 0) {
    ::Sleep(milliseconds);
    return {};
  }
  if (::WaitForMultipleObjects(count, handles, FALSE, milliseconds) == WAIT_FAILED) {
    return last_error();
  }
  if (wakeup != nullptr && is_set(wakeup->interest().handle)) wakeup->clear();
  return {};
}

/// What of `interest` there is now, without waiting. Of a process that is its end.
inline Readiness ready_now(const Interest& interest) {
  if (!interest || !is_set(interest.handle)) return {};
  return {interest.read, interest.write, true};
}

}  // namespace strait::windows
