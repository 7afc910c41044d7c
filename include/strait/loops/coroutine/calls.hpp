#pragma once

// Calls in coroutines, without a library: see loops/coroutine.hpp.
//
//     strait::LoopCaller caller(loop, Link::connect(name, token).value());
//     const strait::Result<Sum> sum = co_await caller.call<Sum>(Add{1, 2}, 200ms);
//
// A server answers by `Receiver::receive` with `answering`.

#include <coroutine>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/caller.hpp"
#include "strait/calls/frame.hpp"
#include "strait/loops/coroutine.hpp"
#include "strait/loops/event_loop.hpp"
#include "strait/loops/operation.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {

template <class LoopT>
using Turn = InPlace<decltype(std::declval<LoopT&>().when_reached(Deadline::never(),
                                                                  std::declval<LoopCallback>()))>;

/// Suspends a coroutine until a call has ended. It goes on in a turn of the loop of its own, where
/// it may end and destroy its caller. One that is destroyed meanwhile ends its call.
template <class OwnerT, class LoopT, class Reply, class Message>
class [[nodiscard("strait: co_await it.")]] LoopCallAwaiter {
 public:
  LoopCallAwaiter(OwnerT & owner, LoopT & loop, const Message& request,
                  std::chrono::nanoseconds timeout)
      : owner_(owner), loop_(loop), request_(request), timeout_(timeout) {}
  LoopCallAwaiter(const LoopCallAwaiter&) = delete;
  LoopCallAwaiter& operator=(const LoopCallAwaiter&) = delete;
  ~LoopCallAwaiter() {
    if (link == nullptr) return;
    link->leave();
    owner_.forget(id_);
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    const auto made = owner_.caller().template call<Reply>(request_, timeout_, Link(*this));
    if (!made) {
      reply_ = made.error();
      return false;
    }
    id_ = *made;
    owner_.take_replies();
    return true;
  }
  Result<Reply> await_resume() { return std::move(reply_); }

  // For its handler.

  using Link = ResultLink<LoopCallAwaiter, Reply>;

  void end(Result<Reply> reply) {
    reply_ = std::move(reply);
    turn_.emplace([&] { return loop_.when_reached(Deadline::now(), LoopCallback(coroutine_)); });
  }
  Link* link = nullptr;

 private:
  OwnerT& owner_;
  LoopT& loop_;
  Message request_;
  std::chrono::nanoseconds timeout_;
  CallId id_{};
  std::coroutine_handle<> coroutine_;
  Turn<LoopT> turn_;
  Result<Reply> reply_ = Errc::closed;
};

}  // namespace detail

/// A `Caller` in a loop.
///
/// It receives by itself while calls are under way, so that a loop has nothing to wait for when
/// they have ended. What its peer sends besides is lost then, and its calls are `unanswered`. A
/// program that wants these receives them by `receive`; from the first one on, replies come in
/// those, too, and one is to be under way while a reply is awaited.
///
/// Ownership: the channel is this object's; the loop is the caller's and outlives it. It stays
/// where it is. When it is destroyed, also by a coroutine that one of its calls has resumed, calls
/// that are under way end with `closed`.
/// Threads: those of the loop.
template <EventLoop LoopT, class ChannelT>
class LoopCaller {
 public:
  LoopCaller(LoopT& loop, ChannelT channel) : loop_(loop), caller_(std::move(channel)) {}
  LoopCaller(const LoopCaller&) = delete;
  LoopCaller& operator=(const LoopCaller&) = delete;
  ~LoopCaller() { close(); }

  /// `co_await` gives the reply, a `Result<Reply>`. Many may be under way.
  ///
  /// The reply is a copy: one with views of the message is for a handler of the `caller`. Errors:
  /// as `Caller::call`.
  template <class Reply, class Message, class Rep, class Period>
  auto call(const Message& request, std::chrono::duration<Rep, Period> timeout) {
    using Awaiter = detail::LoopCallAwaiter<LoopCaller, LoopT, Reply, Message>;
    return Awaiter(*this, loop_, request, detail::capped(timeout));
  }

  /// As `Receiver::receive`: what is no reply goes to the listener, which may be made by
  /// `answering(caller.channel(), ...)`.
  template <class Listener>
  auto receive(Listener listener) {
    receives_ = true;
    readable_.reset();
    return receiver_.receive(std::move(listener));
  }

  /// Ends the calls that are under way, and the `receive` that waits, with
  /// `std::errc::operation_canceled`; the channel goes on.
  void cancel() {
    caller_.end_calls(std::make_error_code(std::errc::operation_canceled));
    readable_.reset();
    receiver_.cancel();
  }

  /// As `Caller::close`.
  void close() noexcept {
    readable_.reset();
    caller_.close();
  }

  /// For calls with handlers; begin to receive, or have a coroutine's call under way meanwhile.
  Caller<ChannelT>& caller() noexcept { return caller_; }
  /// To send, and for all else that waits for nothing.
  ChannelT& channel() noexcept { return caller_.channel(); }

  // For its calls.

  /// Waits for replies while there are calls, unless the program receives.
  void take_replies() {
    if (receives_ || caller_.calls_under_way() == 0) return readable_.reset();
    const auto handle = caller_.native_handle();
    if (!handle) return caller_.end_calls(handle.error());
    const LoopCallback ready([](void* self) { static_cast<LoopCaller*>(self)->on_readable(); },
                             this);
    readable_.emplace([&] { return loop_.when_readable(*handle, ready); });
  }
  void forget(CallId id) {
    caller_.cancel(id);
    if (caller_.calls_under_way() == 0) readable_.reset();
  }

 private:
  void on_readable() {
    readable_.reset();
    // An error that ends the channel has ended the calls, too.
    static_cast<void>(caller_.poll());
    take_replies();
  }

  LoopT& loop_;
  Caller<ChannelT> caller_;
  Receiver<LoopT, Caller<ChannelT>> receiver_{loop_, caller_};
  detail::InPlace<decltype(std::declval<LoopT&>().when_readable(no_handle,
                                                                std::declval<LoopCallback>()))>
      readable_;
  bool receives_ = false;
};

}  // namespace strait
