#pragma once

#include <cstdint>
#include <span>

#include "strait/base/user_id.hpp"
#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/user.hpp"
#else
#include <unistd.h>
#endif

namespace strait_test {

#if STRAIT_HAS_WINDOWS
inline strait::UserId own_user() { return strait::windows::effective_user(); }
inline std::uint32_t own_group() { return 0; }
inline int own_pid() { return static_cast<int>(::GetCurrentProcessId()); }
inline strait::UserId user_number(std::uint32_t number) {
  return strait::UserId(std::as_bytes(std::span(&number, 1)));
}
inline strait::UserId another_user() { return user_number(1); }
#else
inline strait::UserId own_user() { return ::geteuid(); }
inline std::uint32_t own_group() { return ::getegid(); }
inline int own_pid() { return ::getpid(); }
inline strait::UserId user_number(std::uint32_t number) { return number; }
inline strait::UserId another_user() { return own_user() + 1; }
#endif

}  // namespace strait_test
