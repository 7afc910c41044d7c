#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/base/user_id.hpp"
#include "strait/os/windows/descriptor.hpp"

namespace strait::windows {

inline UserId user_of_sid(PSID sid) {
  if (sid == nullptr || !::IsValidSid(sid)) return {};
  return UserId({static_cast<const std::byte*>(sid), ::GetLengthSid(sid)});
}

/// The user of a token; none when that can't be read.
inline UserId user_of_token(HANDLE token) {
  alignas(TOKEN_USER) std::byte bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size = 0;
  if (!::GetTokenInformation(token, TokenUser, bytes, sizeof bytes, &size)) return {};
  return user_of_sid(reinterpret_cast<const TOKEN_USER*>(bytes)->User.Sid);
}

/// The user of a process; none when that can't be read.
inline UserId user_of_process(HANDLE process) {
  HANDLE token = nullptr;
  if (!::OpenProcessToken(process, TOKEN_QUERY, &token)) return {};
  const Descriptor owned(token);
  return user_of_token(token);
}

inline const UserId& effective_user() {
  static const UserId user = user_of_process(::GetCurrentProcess());
  return user;
}

/// Whether an id that the kernel gave is that of this process's user. No user equals none.
inline bool is_effective_user(const UserId& id) { return id && id == effective_user(); }

}  // namespace strait::windows
