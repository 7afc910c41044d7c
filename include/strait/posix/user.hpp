#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "strait/posix/descriptor.hpp"

namespace strait::posix {

inline std::uint32_t effective_user() { return ::geteuid(); }

/// The numbers at the beginning of a file of the kernel's; fewer when there are fewer, none when
/// the file can't be read.
template <std::size_t count>
struct KernelNumbers {
  std::array<std::uint64_t, count> values{};
  std::size_t size = 0;

  static KernelNumbers read(const char* path) {
    KernelNumbers numbers;
    const Descriptor file(retry([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }));
    if (!file) return numbers;
    std::array<char, 128> text;
    const ssize_t got = retry([&] { return ::read(file.get(), text.data(), text.size()); });
    const char* at = text.data();
    const char* const end = at + (got > 0 ? got : 0);
    while (numbers.size != count) {
      while (at != end && *at == ' ') ++at;
      const auto [next, error] = std::from_chars(at, end, numbers.values[numbers.size]);
      if (error != std::errc()) break;
      ++numbers.size;
      at = next;
    }
    return numbers;
  }
};

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

}  // namespace strait::posix
