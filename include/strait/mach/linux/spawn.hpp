#pragma once

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "strait/posix/descriptor.hpp"
#include "strait/posix/error.hpp"
#include "strait/result.hpp"

// musl, and glibc before 2.34, can't close all from a number on.
#if !defined(__GLIBC_PREREQ)
#define STRAIT_CLOSES_BY_LIST
#elif !__GLIBC_PREREQ(2, 34)
#define STRAIT_CLOSES_BY_LIST
#endif

namespace strait::posix {

/// Has a child get none of this process's descriptors but its first three, also none of those that
/// somebody forgot to mark close-on-exec, or opens at this moment.
inline int keep_others_out(posix_spawn_file_actions_t& actions, posix_spawnattr_t&) {
#if defined(STRAIT_CLOSES_BY_LIST)
  // One that another thread opens at this moment, and does not mark, may slip in.
  DIR* open = ::opendir("/proc/self/fd");
  if (open == nullptr) return errno;
  int failed = 0;
  while (const dirent* entry = ::readdir(open)) {
    const int fd = std::atoi(entry->d_name);
    if (fd <= STDERR_FILENO || fd == ::dirfd(open) || failed != 0) continue;
    failed = ::posix_spawn_file_actions_addclose(&actions, fd);
  }
  ::closedir(open);
  return failed;
#else
  return ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
}

inline char* const* environment() { return environ; }

/// A descriptor that is readable when the child has ended; none on a kernel that has no such.
inline Descriptor open_process(pid_t pid) {
  return adopt_new(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// Sends a signal to the process of a descriptor, which is never another one; by its number where
/// the kernel has no such descriptors.
inline int send_signal(const Descriptor& process, pid_t pid, int signal) {
  if (!process) return ::kill(pid, signal);
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0));
}

}  // namespace strait::posix

#undef STRAIT_CLOSES_BY_LIST
