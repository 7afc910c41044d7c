#pragma once

#include <sched.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

inline void pause_core() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

template <class Ready>
void spin_until(const Ready& ready) {
  // Long past any answer from a running peer: it may be waiting for this very core.
  constexpr unsigned patience = 1 << 14;
  for (unsigned spins = 0; !ready(); ++spins) {
    if (spins < patience) {
      pause_core();
    } else {
      ::sched_yield();
    }
  }
}

}  // namespace bench
