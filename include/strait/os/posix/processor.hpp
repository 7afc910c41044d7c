#pragma once

#include <unistd.h>

namespace strait::os {

inline bool single_processor() {
  static const bool single = ::sysconf(_SC_NPROCESSORS_ONLN) == 1;
  return single;
}

/// Tells the core that this is a spin loop: it saves power and leaves the loop faster.
inline void pause_processor() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

}  // namespace strait::os
