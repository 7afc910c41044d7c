#pragma once

#include "strait/config.hpp"
#include "strait/os/interest.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/poll_wait.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/select_wait.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/os/windows/event_wait.hpp"
#endif

namespace strait::os {

/// The end of what a handle stands for, alone. On Windows that is all that a process's shows.
inline Interest end_of(NativeHandle handle) { return {handle, STRAIT_HAS_WINDOWS != 0, false}; }

/// Whether there is some of `interest`, or its end, now.
inline bool is_ready(const Interest& interest) { return static_cast<bool>(ready_now(interest)); }

}  // namespace strait::os
