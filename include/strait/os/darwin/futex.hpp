#pragma once

#include <cstdint>
#include <limits>

#include "strait/base/chrono.hpp"

// In libSystem since macOS 10.12, without a header (bsd/sys/ulock.h of XNU has it).
extern "C" int __ulock_wait(std::uint32_t operation, void* address, std::uint64_t value,
                            std::uint32_t timeout_us);
extern "C" int __ulock_wake(std::uint32_t operation, void* address, std::uint64_t wake_value);

namespace strait::os {

/// UL_COMPARE_AND_WAIT_SHARED: 32 bits in memory that processes share.
inline constexpr std::uint32_t ulock_shared = 3;

/// Sleeps while `word`, in memory that processes share, is `expected`, and no longer than `limit`.
/// May end early. Whatever the other side does to the word, that is all it can do to this one.
template <class Word>
void futex_wait(Word& word, std::uint32_t expected, std::chrono::nanoseconds limit) {
  constexpr std::int64_t longest = std::numeric_limits<std::uint32_t>::max();
  const std::int64_t us = limit.count() / 1000 + 1;  // 0 would be for ever
  __ulock_wait(ulock_shared, &word, expected,
               static_cast<std::uint32_t>(us < longest ? us : longest));
}

/// Wakes the thread that sleeps on `word`.
template <class Word>
void futex_wake(Word& word) {
  __ulock_wake(ulock_shared, &word, 0);
}

}  // namespace strait::os
