#pragma once

namespace strait::detail {

struct TryToLock {};
struct AlreadyLocked {};

/// As `std::unique_lock`, without <mutex>.
template <class Mutex>
class [[nodiscard]] Lock {
 public:
  explicit Lock(Mutex& mutex) : mutex_(&mutex) { lock(); }
  Lock(Mutex& mutex, TryToLock) : mutex_(&mutex), locked_(mutex.try_lock()) {}
  Lock(Mutex& mutex, AlreadyLocked) : mutex_(&mutex), locked_(true) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (locked_) unlock();
  }

  void lock() {
    mutex_->lock();
    locked_ = true;
  }
  void unlock() {
    locked_ = false;
    mutex_->unlock();
  }
  explicit operator bool() const noexcept { return locked_; }

 private:
  Mutex* mutex_;
  bool locked_ = false;
};

}  // namespace strait::detail
