#pragma once

#include <coroutine>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/loops/event_loop.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {

/// Room for an object that can't be moved.
template <class T>
class InPlace {
 public:
  InPlace() = default;
  InPlace(const InPlace&) = delete;
  InPlace& operator=(const InPlace&) = delete;
  ~InPlace() { reset(); }

  template <class Make>
  void emplace(Make make) {
    reset();
    ::new (static_cast<void*>(bytes_)) T(make());
    full_ = true;
  }
  void reset() {
    if (std::exchange(full_, false)) std::launder(reinterpret_cast<T*>(bytes_))->~T();
  }

 private:
  alignas(T) unsigned char bytes_[sizeof(T)];
  bool full_ = false;
};

/// What can be cancelled while it waits.
class Cancellable {
 public:
  virtual void cancel() = 0;

 protected:
  ~Cancellable() = default;
};

}  // namespace detail

/// An operation in a loop: to `co_await`, or, for what is no coroutine, such as a sender's
/// operation state, to `start` with a callback. It stays where it is from its start to its end.
/// Destroying it while it waits ends it: nothing is lost, and nothing is called.
template <EventLoop LoopT, class Step>
class [[nodiscard("strait: co_await it.")]] LoopOperation : detail::Cancellable {
 public:
  using value_type = Result<typename Step::value_type>;

  /// For the library's own parts. While it waits, `place` points to it.
  LoopOperation(LoopT & loop, Step step, detail::Cancellable** place = nullptr)
      : loop_(loop), step_(std::move(step)), place_(place) {}
  LoopOperation(const LoopOperation&) = delete;
  LoopOperation& operator=(const LoopOperation&) = delete;
  ~LoopOperation() { stop_waiting(); }

  /// Whether the result is there without waiting.
  bool try_complete() {
    if constexpr (keeps) {
      if (step_.has_kept()) return true;
    }
    result_ = step_.try_now();
    return result_.has_value();
  }

  /// Has the loop call `done` when the result is there; false if it is there already, and `done` is
  /// not called. For after `try_complete`.
  bool start(LoopCallback done) {
    done_ = done;
    auto wait = step_.wait();
    if (!wait) {
      result_.emplace(wait.error());
      return false;
    }
    const LoopCallback ready([](void* self) { static_cast<LoopOperation*>(self)->go_on(); }, this);
    if (place_ != nullptr) *place_ = this;
    if (wait->handle != no_handle) {
      readable_.emplace([&] { return loop_.when_readable(wait->handle, ready); });
    }
    if (!wait->until.is_never()) {
      reached_.emplace([&] { return loop_.when_reached(wait->until, ready); });
    }
    return true;
  }

  /// For once, when the result is there.
  value_type result() {
    if constexpr (keeps) {
      if (!result_) return step_.take_kept();
    }
    return *std::move(result_);
  }

  /// Ends a wait with `std::errc::operation_canceled`: the coroutine goes on within this call.
  void cancel() final {
    if (!done_) return;
    result_.emplace(std::make_error_code(std::errc::operation_canceled));
    complete();
  }

  bool await_ready() { return try_complete(); }
  bool await_suspend(std::coroutine_handle<> coroutine) { return start(LoopCallback(coroutine)); }
  value_type await_resume() { return result(); }

 private:
  /// Whether a step may have its result already: that one is then moved once, and not by `result_`.
  static constexpr bool keeps = requires(Step & step) { step.take_kept(); };

  void stop_waiting() {
    readable_.reset();
    reached_.reset();
    if (place_ != nullptr && *place_ == this) *place_ = nullptr;
  }
  void go_on() {
    stop_waiting();
    if (try_complete() || !start(*done_)) complete();
  }
  void complete() {
    stop_waiting();
    const LoopCallback done = *std::exchange(done_, std::nullopt);
    done();  // which may destroy this
  }

  LoopT& loop_;
  Step step_;
  detail::Cancellable** place_;
  detail::InPlace<decltype(std::declval<LoopT&>().when_readable(no_handle,
                                                                std::declval<LoopCallback>()))>
      readable_;
  detail::InPlace<decltype(std::declval<LoopT&>().when_reached(detail::Deadline::never(),
                                                               std::declval<LoopCallback>()))>
      reached_;
  std::optional<LoopCallback> done_;
  std::optional<value_type> result_;
};

}  // namespace strait
