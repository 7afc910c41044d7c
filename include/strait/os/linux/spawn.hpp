#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

#if !defined(__GLIBC_PREREQ)
#define STRAIT_CLOSES_BY_LIST
#elif !__GLIBC_PREREQ(2, 34)
#define STRAIT_CLOSES_BY_LIST
#endif

namespace strait::os {

/// For musl, and glibc before 2.34, which can't close all from a number on. A descriptor that
/// another thread opens at this moment, and does not mark close-on-exec, may slip in.
inline int close_those_listed(posix_spawn_file_actions_t& actions) {
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
}

/// Has a child get none of this process's descriptors but its first three, also none of those
/// that were not marked close-on-exec, or are opened at this moment.
inline int keep_others_out(posix_spawn_file_actions_t& actions, posix_spawnattr_t&) {
#if defined(STRAIT_CLOSES_BY_LIST)
  return close_those_listed(actions);
#else
  return ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
}

inline char* const* environment() { return environ; }

/// Fills in the user and the group that a process runs as, if the system tells.
inline void read_effective_ids(PeerCredentials& process) {
  const std::string path = "/proc/" + std::to_string(process.pid) + "/status";
  const Descriptor file(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file) return;
  std::array<char, 1024> text;
  const ssize_t got = retry([&] { return ::read(file.get(), text.data(), text.size() - 1); });
  text[got > 0 ? static_cast<std::size_t>(got) : 0] = '\0';
  // The real id stands first, the effective one second.
  const auto read = [&](const char* name, std::uint32_t& id) {
    const char* line = std::strstr(text.data(), name);
    if (line != nullptr) std::sscanf(line + std::strlen(name), "%*u %" SCNu32, &id);
  };
  read("\nUid:", process.uid);
  read("\nGid:", process.gid);
}

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

}  // namespace strait::os

#undef STRAIT_CLOSES_BY_LIST
