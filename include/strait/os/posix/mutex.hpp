#pragma once

#include <pthread.h>

namespace strait::os {

// Without <mutex> and <condition_variable>, which cost a compiler as much as a channel does.
// Neither is destroyed, as the standard library's mutex is not: what was not initialised by a call
// owns nothing, and in a forked process a thread that is not there may have the mutex.

/// As `std::mutex`.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept { ::pthread_mutex_lock(&mutex_); }
  bool try_lock() noexcept { return ::pthread_mutex_trylock(&mutex_) == 0; }
  void unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

 private:
  friend class Condition;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

/// As `std::condition_variable`.
class Condition {
 public:
  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// May return early. The caller has the mutex, before and after.
  void wait(Mutex& mutex) noexcept { ::pthread_cond_wait(&condition_, &mutex.mutex_); }
  void notify_all() noexcept { ::pthread_cond_broadcast(&condition_); }

 private:
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
};

}  // namespace strait::os
