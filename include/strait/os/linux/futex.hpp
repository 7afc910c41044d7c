#pragma once

#include <linux/futex.h>
#include <linux/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include "strait/base/chrono.hpp"

namespace strait::os {

#if defined(SYS_futex)
inline constexpr long futex_call = SYS_futex;
/// What the call takes for a time: of the kernel's own width, whatever `time_t` is in this program.
using FutexTime = __kernel_long_t;
#else  // 32-bit systems that have never had any but 64-bit time
inline constexpr long futex_call = SYS_futex_time64;
using FutexTime = std::int64_t;
#endif

/// Sleeps while `word`, in memory that processes share, is `expected`, and no longer than `limit`.
/// May end early. Whatever the other side does to the word, that is all it can do to this one.
template <class Word>
void futex_wait(Word& word, std::uint32_t expected, std::chrono::nanoseconds limit) {
  constexpr std::int64_t second = 1'000'000'000;
  const FutexTime left[] = {static_cast<FutexTime>(limit.count() / second),
                            static_cast<FutexTime>(limit.count() % second)};
  ::syscall(futex_call, &word, FUTEX_WAIT, expected, left, nullptr, 0);
}

/// Wakes the thread that sleeps on `word`.
template <class Word>
void futex_wake(Word& word) {
  ::syscall(futex_call, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace strait::os
