#pragma once

#include <crt_externs.h>
#include <fcntl.h>
#include <libproc.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "strait/os/posix/descriptor.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// Has a child get none of this process's descriptors but its first three, also none of those
/// that were not marked close-on-exec, or are opened at this moment.
inline int keep_others_out(posix_spawn_file_actions_t& actions, posix_spawnattr_t& attributes) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0) continue;  // nothing to inherit
    if (const int failed = ::posix_spawn_file_actions_addinherit_np(&actions, fd)) return failed;
  }
  return ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_CLOEXEC_DEFAULT);
}

inline char* const* environment() { return *::_NSGetEnviron(); }

/// Fills in the user and the group that a process runs as, if the system tells.
inline void read_effective_ids(PeerCredentials& process) {
  proc_bsdshortinfo info{};
  const int size = sizeof info;
  if (::proc_pidinfo(process.pid, PROC_PIDT_SHORTBSDINFO, 0, &info, size) != size) return;
  process.uid = info.pbsi_uid;
  process.gid = info.pbsi_gid;
}

/// This system has no descriptors of processes.
inline Descriptor open_process(pid_t) { return Descriptor(); }

/// Sends a signal to a child that was not reaped yet.
inline int send_signal(const Descriptor&, pid_t pid, int signal) { return ::kill(pid, signal); }

}  // namespace strait::os
