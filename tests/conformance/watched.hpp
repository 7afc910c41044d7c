#pragma once

#include <condition_variable>
#include <mutex>

#include "conformance/channels.hpp"

namespace strait_test {

/// What other threads change, and a test waits for.
class Watched {
 public:
  /// Held as long as something is read or changed; then who waits is told.
  class Access {
   public:
    explicit Access(Watched& watched) : lock_(watched.mutex_), changed_(watched.changed_) {}
    ~Access() { changed_.notify_all(); }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

   private:
    std::lock_guard<std::mutex> lock_;  // released behind the notice: a waiter may destroy all this
    std::condition_variable& changed_;
  };
  Access access() { return Access(*this); }

  /// Until `done()`, which is asked with the lock held; false when that does not come.
  template <class Done>
  bool wait_until(Done done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, long_enough, done);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace strait_test
