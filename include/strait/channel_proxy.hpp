#pragma once

#include <concepts>
#include <cstddef>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/shared.hpp"
#include "strait/channel.hpp"
#include "strait/channel/proxy_core.hpp"
#include "strait/channel/proxy_listener.hpp"
#include "strait/fwd.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/thread.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/proxy_options.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"

namespace strait {

/// The executor that runs a task at once: a proxy's listener is then called on the proxy's thread.
struct OnOwnThread {
  template <class Task>
  void operator()(Task&& task) const {
    task();
  }
};

/// A channel that any thread may use: it lives on a thread of its own, and its listener is called
/// where the executor says.
///
/// A listener is one of `Channel`'s. It may also have `on_closed(std::error_code)`, called once,
/// after all that had arrived: `closed` after `close`, else why the channel has ended. A message
/// that the listener has no callable for ends the channel with `unexpected_message`; of which type
/// it was, the channel's observer is told where the listener is called.
///
/// An executor is called on the proxy's thread with a task, a small copyable object, and has it
/// called once, later, on the thread that the listener belongs to (`OnOwnThread`: at once, there).
/// It must not wait for that. There is never more than one task about, so that the listener is
/// never called twice at a time, and what waits to be handled is bounded by
/// `ProxyOptions::max_inbox_bytes` and `max_inbox_rights`: then the peer finds no room.
///
/// An exception that leaves the listener on the proxy's thread, or the executor, ends the channel:
/// `on_closed` gets the code of a `std::system_error`, `std::errc::not_enough_memory` for
/// `std::bad_alloc`, else `std::errc::operation_canceled`. On a thread of the executor's it is that
/// thread's to catch; the message is gone, and the proxy goes on.
///
/// In a forked process the copy of a proxy has no thread: close or destroy it, and nothing else.
///
/// Threads: `send`, `flush`, `close` and `queued_bytes` from any, also from inside the listener and
/// at the same time; not from inside a serializer or the channel's observer, which are called on
/// the thread that sends or on the proxy's. Moving and destroying as any object; destroying also
/// from inside the listener.
template <class ChannelT, ProxyOptions options>
class ChannelProxy {
 public:
  using channel_type = ChannelT;
  using Task = detail::ProxyTask<ChannelT, options>;

  /// Takes a channel over, connected or still waiting for that. `on_connected` is for the listener
  /// only if no other one was told before.
  ///
  /// Errors: the system's, when there is no descriptor or no thread; the channel is closed then.
  template <class Listener, class Executor = OnOwnThread>
  [[nodiscard]] static Result<ChannelProxy> start(ChannelT channel, Listener listener,
                                                  Executor executor = {}) {
    static_assert(std::invocable<Executor&, Task>,
                  "strait: an executor is called with a task, to be called by it or later.");
    auto wakeup = os::wait_set_with_signal();
    if (!wakeup) return wakeup.error();
    if (const auto handle = channel.native_handle(); !handle) return handle.error();
    auto made = detail::Shared<detail::ProxyCoreFor<ChannelT, options, Listener, Executor>>::make(
        std::move(channel), std::move(*wakeup), std::move(listener), std::move(executor));
    detail::Shared<Core> core(made);
    made->attach(core);
    const auto thread = os::start_thread(core);
    if (!thread) return thread.error();
    return ChannelProxy(std::move(core), *thread);
  }

  ChannelProxy(ChannelProxy&&) noexcept = default;
  ChannelProxy& operator=(ChannelProxy&& other) noexcept {
    ChannelProxy old(std::move(*this));
    core_ = std::move(other.core_);
    thread_ = other.thread_;
    owner_ = other.owner_;
    return *this;
  }

  /// As `close`, and waits for the end of it. When this returns, the listener runs no more and is
  /// not called again, not even by a task that the executor still has: so it must not be called
  /// while the listener waits for this thread.
  ///
  /// Blocking: up to `ProxyOptions::linger_ms` and as long as the listener is running; never from
  /// inside a listener on the proxy's own thread, where all goes out after the listener returns.
  ~ChannelProxy() {
    if (!core_) return;
    owner_.is_this() ? core_->finish(thread_) : Core::end_copy(std::move(core_));
  }

  /// As `Channel::send`. Errors: as `Channel::send`; `closed` from `close` on. Blocking: only while
  /// another thread sends, too.
  template <class Message>
  Result<void> send(const Message& message) {
    return core_ ? core_->send(message) : Errc::closed;
  }

  /// As `Channel::send` with rights; the listener gets those that come as a channel's does.
  /// Ownership: the rights are gone from `rights` exactly when this succeeds.
  template <class Message>
  Result<void> send(const Message& message, Rights&& rights) {
    return core_ ? core_->send(message, std::move(rights)) : Errc::closed;
  }

  /// Waits until everything queued is on its way.
  ///
  /// Errors: `timed_out`; as `send`. Blocking: up to `duration`; others may
  /// send meanwhile.
  template <class Rep, class Period>
  Result<void> flush(std::chrono::duration<Rep, Period> duration) {
    const auto deadline = detail::Deadline::after(duration);
    for (;;) {
      if (!core_) return Errc::closed;
      const auto flushed = core_->flush();
      if (flushed || flushed.error() != Errc::timed_out || deadline.passed()) return flushed;
      constexpr std::chrono::milliseconds pause{1};
      const auto slept =
          os::wait_for({}, detail::Deadline::earlier(deadline, detail::Deadline::after(pause)));
      if (!slept) return slept;
    }
  }

  /// Takes nothing more to send; what was taken goes out, for up to `ProxyOptions::linger_ms`, and
  /// then the channel ends. The listener still gets what has arrived, and last `on_closed`.
  /// Blocking: never.
  void close() noexcept {
    if (!core_) return;
    owner_.is_this() ? core_->close() : Core::end_copy(std::move(core_));
  }

  /// What waits to be sent.
  std::size_t queued_bytes() { return core_ ? core_->queued_bytes() : 0; }

 private:
  using Core = detail::ProxyCore<ChannelT, options>;

  ChannelProxy(detail::Shared<Core> core, os::Thread thread)
      : core_(std::move(core)), thread_(thread) {}

  detail::Shared<Core> core_;
  os::Thread thread_;
  os::OwnerProcess owner_;
};

}  // namespace strait
