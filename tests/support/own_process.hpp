#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "strait/base/user_id.hpp"
#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/user.hpp"
//
#include <psapi.h>
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
/// The most memory that this process has had at once.
inline std::size_t peak_bytes() {
  PROCESS_MEMORY_COUNTERS counters{};
  ::K32GetProcessMemoryInfo(::GetCurrentProcess(), &counters, sizeof counters);
  return counters.PeakWorkingSetSize;
}
#else
inline strait::UserId own_user() { return ::geteuid(); }
inline std::uint32_t own_group() { return ::getegid(); }
inline int own_pid() { return ::getpid(); }
inline strait::UserId user_number(std::uint32_t number) { return number; }
inline strait::UserId another_user() { return own_user() + 1; }
/// The most memory that this process has had at once; 0 where the system does not say.
inline std::size_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  return 0;
}
#endif

}  // namespace strait_test
