#pragma once

#include <mutex>

namespace strait::detail {

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
    const std::lock_guard turn(turn_);
    mutex_.lock();
  }
  /// For the thread that has it: lets those that wait go first.
  void yield() {
    unlock();
    lock_in_turn();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
  std::mutex turn_;  // of the one that gets the mutex next
};

}  // namespace strait::detail
