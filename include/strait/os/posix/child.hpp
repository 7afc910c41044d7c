#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cerrno>

#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

using ProcessId = pid_t;
inline constexpr int kill_signal = SIGKILL;

/// Whether a child has ended, and how: by itself with a code, or by a signal.
struct ChildEnd {
  bool ended = false;
  int code = 0;
  int signal = 0;
};

/// By `waitid`, without waiting.
///
/// Errors: those of `waitid`, see `is_no_child`.
inline Result<ChildEnd> ask_for_child(ProcessId child, int options) {
  siginfo_t info{};
  const auto ask = [&] {
    return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | options);
  };
  if (retry(ask) != 0) return last_error();
  if (info.si_pid != child) return ChildEnd{};
  const bool exited = info.si_code == CLD_EXITED;
  return exited ? ChildEnd{true, info.si_status, 0} : ChildEnd{true, 0, info.si_status};
}
/// Leaves it a zombie.
inline Result<ChildEnd> look_at_child(ProcessId child) { return ask_for_child(child, WNOWAIT); }
inline Result<ChildEnd> reap_child(ProcessId child) { return ask_for_child(child, 0); }

/// This process has no such child, or has it no more.
inline bool is_no_child(const std::error_code& error) { return error == system_error(ECHILD); }

}  // namespace strait::os
