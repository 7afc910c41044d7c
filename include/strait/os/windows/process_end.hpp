#pragma once

#include "strait/os/process_status.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/peer.hpp"

namespace strait::windows {

using os::ProcessEnd;

/// How a peer's process has ended. Another process may have its id by now, and then it seems to
/// live. One that was ended by another has that one's exit code.
inline ProcessEnd look_at_end(const PeerCredentials& peer) {
  if (peer.pid <= 0) return {};
  const Descriptor process(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE,
                                         static_cast<DWORD>(peer.pid)));
  if (!process) {
    const bool none = ::GetLastError() == ERROR_INVALID_PARAMETER;
    return none ? ProcessEnd{ProcessEnd::How::gone, 0} : ProcessEnd{};
  }
  DWORD code = 0;
  if (!is_set(process.get()) || !::GetExitCodeProcess(process.get(), &code)) return {};
  return {ProcessEnd::How::exited, static_cast<int>(code)};
}

}  // namespace strait::windows
