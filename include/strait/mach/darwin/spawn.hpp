#pragma once

#include <crt_externs.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "strait/posix/descriptor.hpp"

namespace strait::posix {

/// Has a child get none of this process's descriptors but its first three, also none of those that
/// somebody forgot to mark close-on-exec, or opens at this moment.
inline int keep_others_out(posix_spawn_file_actions_t& actions, posix_spawnattr_t& attributes) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0) continue;  // nothing to inherit
    if (const int failed = ::posix_spawn_file_actions_addinherit_np(&actions, fd)) return failed;
  }
  return ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_CLOEXEC_DEFAULT);
}

inline char* const* environment() { return *::_NSGetEnviron(); }

/// This system has no descriptors of processes.
inline Descriptor open_process(pid_t) { return Descriptor(); }

/// Sends a signal to a child that was not reaped yet.
inline int send_signal(const Descriptor&, pid_t pid, int signal) { return ::kill(pid, signal); }

}  // namespace strait::posix
