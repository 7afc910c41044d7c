#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace strait {

namespace detail {

/// What a coroutine results in: nothing yet, a value or an exception.
template <class T>
class TaskResult {
 public:
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};
template <>
class TaskResult<void> {
 public:
  void return_void() {}
  void take() {}
};

}  // namespace detail

/// A coroutine that begins at once, for programs that have no such type of their own. Destroying
/// it while it waits ends it there.
///
/// Errors: an exception that leaves the coroutine is thrown where its result is asked for, and is
/// lost if that is nowhere.
template <class T = void>
class [[nodiscard("strait: a task ends with its object.")]] Task {
 public:
  struct promise_type : detail::TaskResult<T> {
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        const auto next = self.promise().awaiting;
        return next ? next : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() { thrown = std::current_exception(); }

    std::coroutine_handle<> awaiting;
    std::exception_ptr thrown;
  };

  Task(Task && other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task old(std::move(*this));
    coroutine_ = std::exchange(other.coroutine_, nullptr);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  bool done() const { return coroutine_.done(); }

  /// What it has returned, once. For when it is `done`.
  T result() {
    auto& promise = coroutine_.promise();
    if (promise.thrown) std::rethrow_exception(std::exchange(promise.thrown, nullptr));
    return promise.take();
  }

  // For `co_await`, by one other coroutine.
  bool await_ready() const { return done(); }
  void await_suspend(std::coroutine_handle<> awaiting) { coroutine_.promise().awaiting = awaiting; }
  T await_resume() { return result(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace strait
