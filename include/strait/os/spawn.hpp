#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/spawn.hpp"
#else

#include <signal.h>
#include <spawn.h>
#include <sys/types.h>
#include <unistd.h>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/spawn.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/spawn.hpp"
#endif

namespace strait::os {

/// Those of a child that was just started and not reaped: its program may run as another user
/// (set-user-ID). Where the system does not tell, as without /proc, those of this process.
inline PeerCredentials credentials_of_child(pid_t child) {
  PeerCredentials credentials{::geteuid(), ::getegid(), child};
  read_effective_ids(credentials);
  return credentials;
}

/// Has a child block and ignore no signal, whatever the thread that starts it blocks and ignores.
inline int reset_signals(posix_spawnattr_t& attributes) {
  sigset_t set;
  sigemptyset(&set);
  if (const int failed = ::posix_spawnattr_setsigmask(&attributes, &set)) return failed;
  sigfillset(&set);
  for (const int fixed : {SIGKILL, SIGSTOP}) sigdelset(&set, fixed);
  if (const int failed = ::posix_spawnattr_setsigdefault(&attributes, &set)) return failed;
  short flags = 0;
  if (const int failed = ::posix_spawnattr_getflags(&attributes, &flags)) return failed;
  constexpr int added = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  return ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags | added));
}

/// Starts a program with this standard input, this process's other two standard descriptors, and
/// no others. It has no signal blocked or ignored. `arguments` ends with a null pointer, as for
/// `execve`.
///
/// Errors: those of `execve`, such as `ENOENT` and `EACCES`, and of `fork`.
inline Result<pid_t> spawn(const char* program, char* const* arguments, const Descriptor& input) {
  posix_spawn_file_actions_t actions;
  if (const int failed = ::posix_spawn_file_actions_init(&actions)) return system_error(failed);
  posix_spawnattr_t attributes;
  int failed = ::posix_spawnattr_init(&attributes);
  pid_t pid = 0;
  if (failed == 0) {
    failed = ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
    if (failed == 0) failed = keep_others_out(actions, attributes);
    if (failed == 0) failed = reset_signals(attributes);
    if (failed == 0) {
      failed = ::posix_spawn(&pid, program, &actions, &attributes, arguments, environment());
    }
    ::posix_spawnattr_destroy(&attributes);
  }
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return system_error(failed);
  return pid;
}

}  // namespace strait::os

#endif
