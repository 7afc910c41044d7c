#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "strait/detail/chrono.hpp"

namespace strait::posix {

/// Sleeps while `word`, in memory that processes share, is `expected`, and no longer than `limit`.
/// May end early. Whatever the other side does to the word, that is all it can do to this one.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::chrono::nanoseconds limit) {
  constexpr std::int64_t second = 1'000'000'000;
  timespec left{};
  left.tv_sec = static_cast<time_t>(limit.count() / second);
  left.tv_nsec = static_cast<long>(limit.count() % second);
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &left, nullptr, 0);
}

/// Wakes whoever sleeps on `word`.
inline void futex_wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace strait::posix
