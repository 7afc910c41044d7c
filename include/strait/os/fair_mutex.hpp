#pragma once

#include "strait/os/mutex.hpp"

namespace strait::os {

/// A mutex for a thread that has it most of the time, over and over again, and others that need it
/// now and then. A plain mutex is had again by the thread that has just let it go long before a
/// waiter is awake; this one is had by the waiter next, if the busy thread locks it by
/// `lock_in_turn`.
class FairMutex {
 public:
  /// Costs no more than a plain mutex while no other thread has it.
  void lock() {
    if (!mutex_.try_lock()) lock_in_turn();
  }
  /// Behind those that wait already.
  void lock_in_turn() {
    const detail::Lock turn(turn_);
    mutex_.lock();
  }
  /// For the thread that has it: lets those that wait go first.
  void yield() {
    unlock();
    lock_in_turn();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }
  /// For the thread that has it: until another one notifies. May return early.
  void wait(Condition& condition) { condition.wait(mutex_); }

 private:
  Mutex mutex_;
  Mutex turn_;  // of the one that gets the mutex next
};

}  // namespace strait::os
