#pragma once

#include <array>
#include <cstddef>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/loops/event_loop.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"

namespace strait {

/// A small loop over poll(2), for programs that have none.
///
/// Threads: one; `stop` from any.
class PollLoop {
 public:
  class Wait;

  PollLoop() = default;
  PollLoop(const PollLoop&) = delete;
  PollLoop& operator=(const PollLoop&) = delete;

  Wait when_readable(NativeHandle handle, LoopCallback callback);
  Wait when_reached(detail::Deadline at, LoopCallback callback);

  /// Runs until nothing is waited for, or `stop`. Errors: the system's.
  Result<void> run() {
    return run_while([this] { return waiting_ != nullptr || due_ != nullptr; });
  }
  /// Runs while `goes_on()`, and something is waited for, or until `stop`. Errors: the system's.
  template <class Condition>
  Result<void> run_while(Condition goes_on) {
    if (!set_) return failed_;
    const detail::StopTaken stop_taken(stop_);
    while (!stop_.raised() && (waiting_ != nullptr || due_ != nullptr) && goes_on()) {
      if (auto turned = run_once(); !turned) return turned;
    }
    return {};
  }

  /// Has `run` return after what it is at; if it is not called yet, the next time at once.
  /// Threads: any. Signals: safe.
  void stop() noexcept {
    stop_.raise();
    if (set_) set_->interrupt();
  }

 private:
  Result<void> run_once();
  void forget(NativeHandle handle);

  Result<os::WaitSet> set_ = os::wait_set_with_signal();
  std::error_code failed_ = set_.error();
  Wait* waiting_ = nullptr;
  /// What is ready and was not called yet.
  Wait* due_ = nullptr;
  detail::StopFlag stop_;
};

/// What is waited for in a `PollLoop`; destroying it ends the wait.
class PollLoop::Wait {
 public:
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait() { leave(); }

 private:
  friend class PollLoop;

  Wait(PollLoop& loop, NativeHandle handle, detail::Deadline at, LoopCallback callback)
      : loop_(loop), handle_(handle), at_(at), callback_(callback) {
    enter(loop_.waiting_);
  }

  void enter(Wait*& list) {
    next_ = list;
    if (next_ != nullptr) next_->link_ = &next_;
    link_ = &list;
    list = this;
  }
  void leave() {
    if (link_ == nullptr) return;
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
    link_ = nullptr;
    if (handle_ != no_handle) loop_.forget(std::exchange(handle_, no_handle));
  }

  PollLoop& loop_;
  NativeHandle handle_;
  detail::Deadline at_;
  LoopCallback callback_;
  Wait* next_ = nullptr;
  /// What points to this one.
  Wait** link_ = nullptr;
};

inline PollLoop::Wait PollLoop::when_readable(NativeHandle handle, LoopCallback callback) {
  if (set_ && !failed_) failed_ = set_->watch(Interest::to_read(handle)).error();
  return Wait(*this, handle, detail::Deadline::never(), callback);
}

inline PollLoop::Wait PollLoop::when_reached(detail::Deadline at, LoopCallback callback) {
  return Wait(*this, no_handle, at, callback);
}

/// Takes a handle out of the set unless it is still waited for.
inline void PollLoop::forget(NativeHandle handle) {
  for (Wait* wait = waiting_; wait != nullptr; wait = wait->next_) {
    if (wait->handle_ == handle) return;
  }
  set_->forget(handle);
}

inline Result<void> PollLoop::run_once() {
  if (failed_) return std::exchange(failed_, std::error_code());
  auto until = due_ != nullptr ? detail::Deadline::now() : detail::Deadline::never();
  for (const Wait* wait = waiting_; wait != nullptr; wait = wait->next_) {
    until = detail::Deadline::earlier(until, wait->at_);
  }
  if (auto slept = os::wait_for({Interest::to_read(set_->native_handle())}, until); !slept) {
    return slept;
  }
  std::array<NativeHandle, 64> ready;
  const auto count = set_->ready(ready);
  if (!count) return count.error();
  for (Wait *wait = waiting_, *next = nullptr; wait != nullptr; wait = next) {
    next = wait->next_;
    bool is_due = wait->at_.passed();
    for (std::size_t i = 0; i != *count; ++i) is_due = is_due || ready[i] == wait->handle_;
    if (!is_due) continue;
    wait->leave();
    wait->enter(due_);
  }
  while (due_ != nullptr) {
    const LoopCallback callback = due_->callback_;
    due_->leave();
    callback();  // which may destroy any wait, and begin others
  }
  return {};
}

}  // namespace strait
