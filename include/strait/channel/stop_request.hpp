#pragma once

#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/os/wakeup.hpp"

namespace strait::detail {

/// The wish that a call ends: lasts until one has ended by it.
///
/// Threads, signals: `raise` and `raised` from any.
class StopFlag {
 public:
  StopFlag() = default;
  StopFlag(StopFlag&& other) noexcept : raised_(other.take()) {}
  StopFlag& operator=(StopFlag&& other) noexcept {
    raised_ = other.take();
    return *this;
  }

  void raise() noexcept { raised_ = 1; }
  bool raised() const noexcept { return raised_.load(MemoryOrder::relaxed) != 0; }
  bool take() noexcept {
    if (!raised()) [[likely]]
      return false;
    return raised_.exchange(0) != 0;
  }

 private:
  static_assert(Atomic<int>::is_always_lock_free, "strait: signal handlers need it.");
  // A word, because some processors have no atomic bytes.
  Atomic<int> raised_ = 0;
};

/// The same with a wake-up for a thread that is about to sleep: `prepare`, ask `raised`, then sleep
/// until `wakeup` is signalled.
class StopRequest {
 public:
  StopRequest() = default;
  StopRequest(StopRequest&& other) noexcept { *this = std::move(other); }
  StopRequest& operator=(StopRequest&& other) noexcept {
    flag_ = std::move(other.flag_);
    prepared_ = other.prepared_.exchange(0);
    wakeup_ = std::move(other.wakeup_);
    return *this;
  }

  void raise() noexcept {
    flag_.raise();
    // Partner: `prepare`. One of the two sees what the other has done before.
    if (prepared_ != 0) wakeup_->signal();
  }
  bool raised() const noexcept { return flag_.raised(); }
  bool take() noexcept { return flag_.take(); }

  /// False if the system has no descriptor left. The wake-up stays as long as this, for a handler
  /// may be about to use it at any time.
  bool prepare() {
    if (prepared_.load(MemoryOrder::relaxed) != 0) return true;
    auto created = os::Wakeup::create();
    if (!created) return false;
    wakeup_.emplace(std::move(*created));
    prepared_ = 1;
    // Partner: `raise`. What it had raised before it saw this is seen by the next `raised`.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return true;
  }
  /// Null before `prepare`.
  const os::Wakeup* wakeup() const noexcept { return wakeup_ ? &*wakeup_ : nullptr; }

 private:
  StopFlag flag_;
  Atomic<int> prepared_ = 0;
  ResetOnMove<os::Wakeup> wakeup_;
};

/// Takes a stop when a call returns, which has heeded it, also when a listener throws.
template <class Stop>
class StopTaken {
 public:
  /// `told`, if there is one, hears whether there was a stop.
  explicit StopTaken(Stop& stop, bool* told = nullptr) : stop_(stop), told_(told) {}
  ~StopTaken() {
    const bool taken = stop_.take();
    if (told_ != nullptr) *told_ = taken;
  }
  StopTaken(const StopTaken&) = delete;
  StopTaken& operator=(const StopTaken&) = delete;

 private:
  Stop& stop_;
  bool* told_;
};

}  // namespace strait::detail
