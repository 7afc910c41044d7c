#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "strait/os/posix/descriptor.hpp"

namespace strait::os {

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
      if (at == end || *at < '0' || *at > '9') break;
      std::uint64_t& value = numbers.values[numbers.size++];
      for (; at != end && *at >= '0' && *at <= '9'; ++at) {
        value = 10 * value + static_cast<std::uint64_t>(*at - '0');
      }
    }
    return numbers;
  }
};

}  // namespace strait::os
