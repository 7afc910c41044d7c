#pragma once

#include <signal.h>
#include <unistd.h>
#if __has_include(<sys/syscall.h>)
#include <sys/syscall.h>
#endif

#include <cerrno>

#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/peer.hpp"

namespace strait::os {

inline PeerCredentials own_credentials() { return {::geteuid(), ::getegid(), ::getpid()}; }

/// Whether a process has ended, also one that was not reaped yet. False when that can't be known,
/// and when another process has its id by now.
inline bool has_ended(pid_t process) {
  if (process <= 0) return false;
#if defined(SYS_pidfd_open)
  const Descriptor descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!descriptor) return errno == ESRCH;
  return is_ready(Interest::to_read(descriptor.get()));
#else
  return ::kill(process, 0) != 0 && errno == ESRCH;
#endif
}

}  // namespace strait::os
