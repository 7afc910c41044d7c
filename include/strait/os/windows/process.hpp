#pragma once

#include <cstdint>

#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/peer.hpp"

namespace strait::windows {

inline PeerCredentials own_credentials() {
  return {effective_user(), 0, static_cast<std::int32_t>(::GetCurrentProcessId())};
}

/// Whether a process has ended. False when that can't be known, and when another process has its id
/// by now.
inline bool has_ended(std::int32_t process) {
  if (process <= 0) return false;
  const Descriptor opened(::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(process)));
  if (!opened) return ::GetLastError() == ERROR_INVALID_PARAMETER;
  return ::WaitForSingleObject(opened.get(), 0) == WAIT_OBJECT_0;
}

}  // namespace strait::windows
