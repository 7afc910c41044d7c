#pragma once

#include <sys/random.h>
#include <unistd.h>

#include <cstddef>
#include <span>

#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Fills up to 256 bytes from the system's random source.
inline Result<void> fill_random(std::span<std::byte> out) {
  if (::getentropy(out.data(), out.size()) != 0) return last_error();
  return {};
}

}  // namespace strait::os
