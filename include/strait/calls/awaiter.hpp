#pragma once

#include <coroutine>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A call's handler and what waits for its result, which know of each other as long as both are
/// there: the handler is moved about and goes with its caller, a coroutine may be destroyed.
template <class Waiting, class Reply>
class ResultLink {
 public:
  explicit ResultLink(Waiting& waiting) noexcept : waiting_(&waiting) { waiting.link = this; }
  ResultLink(ResultLink&& other) noexcept : waiting_(std::exchange(other.waiting_, nullptr)) {
    if (waiting_ != nullptr) waiting_->link = this;
  }
  ResultLink& operator=(ResultLink&&) = delete;
  ~ResultLink() { static_cast<void>(leave()); }

  /// Ends what the other one knows of this.
  Waiting* leave() noexcept {
    if (waiting_ != nullptr) waiting_->link = nullptr;
    return std::exchange(waiting_, nullptr);
  }
  void operator()(Result<Reply> reply) {
    if (Waiting* const waiting = leave()) waiting->end(std::move(reply));
  }

 private:
  Waiting* waiting_;
};

/// A time in a unit that does not depend on its type's, a year at the most.
template <class Rep, class Period>
std::chrono::nanoseconds capped(std::chrono::duration<Rep, Period> timeout) {
  constexpr std::chrono::hours longest{24 * 365};
  return timeout < longest ? std::chrono::ceil<std::chrono::nanoseconds>(timeout)
                           : std::chrono::nanoseconds(longest);
}

/// Suspends a coroutine until a call has ended. A coroutine that is destroyed meanwhile is not
/// resumed, and the reply is dropped.
template <class CallerT, class Reply, class Message>
class CallAwaiter {
 public:
  CallAwaiter(CallerT& caller, const Message& request, std::chrono::nanoseconds timeout)
      : caller_(caller), request_(request), timeout_(timeout) {}
  CallAwaiter(const CallAwaiter&) = delete;
  CallAwaiter& operator=(const CallAwaiter&) = delete;
  ~CallAwaiter() {
    if (link != nullptr) link->leave();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    const auto made = caller_.template call<Reply>(request_, timeout_, Link(*this));
    if (!made) reply_ = made.error();
    return made.has_value();
  }
  Result<Reply> await_resume() { return std::move(reply_); }

  // For its handler.

  using Link = ResultLink<CallAwaiter, Reply>;

  void end(Result<Reply> reply) {
    reply_ = std::move(reply);
    coroutine_.resume();
  }
  Link* link = nullptr;

 private:
  CallerT& caller_;
  Message request_;
  std::chrono::nanoseconds timeout_;
  std::coroutine_handle<> coroutine_;
  Result<Reply> reply_ = Errc::closed;
};

}  // namespace strait::detail
