#pragma once

#include <cstdint>

namespace strait::os {

/// Whether a process has ended, and how, as far as the system tells.
struct ProcessEnd {
  enum class How : std::uint8_t {
    /// It lives, or that is not known.
    none,
    /// By itself, with the exit code `status`.
    exited,
    /// By the signal `status`.
    killed,
    /// In a way that is not known any more.
    gone,
  };
  How how = How::none;
  int status = 0;
};

}  // namespace strait::os
