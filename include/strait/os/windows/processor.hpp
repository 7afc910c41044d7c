#pragma once

#include "strait/os/windows/api.hpp"

namespace strait::windows {

inline bool single_processor() {
  static const bool single = ::GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) == 1;
  return single;
}

/// Tells the core that this is a spin loop: it saves power and leaves the loop faster.
inline void pause_processor() { YieldProcessor(); }

}  // namespace strait::windows
