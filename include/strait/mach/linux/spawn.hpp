#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "strait/posix/descriptor.hpp"
#include "strait/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::posix {

/// Has a child get none of this process's descriptors but its first three, also none of those that
/// somebody forgot to mark close-on-exec, or opens at this moment.
inline int keep_others_out(posix_spawn_file_actions_t& actions, posix_spawnattr_t&) {
  return ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
}

inline char* const* environment() { return environ; }

/// A descriptor that is readable when the child has ended; none on a kernel that has no such.
inline Descriptor open_process(pid_t pid) {
  return adopt_new(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace strait::posix
