#pragma once

#include <unistd.h>

#include <cstdint>

#include "strait/os/posix/kernel_numbers.hpp"

namespace strait::os {

inline std::uint32_t effective_user() { return ::geteuid(); }

/// The id that the kernel gives for each user that it can't express in this user namespace.
inline std::uint32_t overflow_user() {
  // Read once: later the process may have no descriptor left to read it with.
  static const std::uint32_t id = [] {
    const auto read = KernelNumbers<1>::read("/proc/sys/kernel/overflowuid");
    return read.size == 1 ? static_cast<std::uint32_t>(read.values[0]) : std::uint32_t{65534};
  }();
  return id;
}

/// Whether this user namespace has every user there is, as the system's first one has: only there
/// is the overflow id a user of its own.
inline bool expresses_every_user() {
  const auto map = KernelNumbers<3>::read("/proc/self/uid_map");
  return map.size == 3 && map.values[0] == 0 && map.values[2] == 0xffff'ffff;
}

/// Whether an id that the kernel gave, of a peer or of a file's owner, is that of this process's
/// effective user. The overflow id may stand for any user, so where it can, it equals none, not
/// even itself.
inline bool is_effective_user(std::uint32_t id) {
  return id == effective_user() && (id != overflow_user() || expresses_every_user());
}

}  // namespace strait::os
