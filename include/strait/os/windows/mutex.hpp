#pragma once

#include "strait/os/windows/error.hpp"

namespace strait::windows {

/// As `std::mutex`.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept { ::AcquireSRWLockExclusive(&lock_); }
  bool try_lock() noexcept { return ::TryAcquireSRWLockExclusive(&lock_) != 0; }
  void unlock() noexcept { ::ReleaseSRWLockExclusive(&lock_); }

 private:
  friend class Condition;
  SRWLOCK lock_ = SRWLOCK_INIT;
};

/// As `std::condition_variable`.
class Condition {
 public:
  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// May return early. The caller has the mutex, before and after.
  void wait(Mutex& mutex) noexcept {
    ::SleepConditionVariableSRW(&condition_, &mutex.lock_, INFINITE, 0);
  }
  void notify_all() noexcept { ::WakeAllConditionVariable(&condition_); }

 private:
  CONDITION_VARIABLE condition_ = CONDITION_VARIABLE_INIT;
};

}  // namespace strait::windows

namespace strait::os {
using windows::Condition;
using windows::Mutex;
}  // namespace strait::os
