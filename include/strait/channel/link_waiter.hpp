#pragma once

#include <cstddef>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait::detail {

/// How a channel waits for its link: within a call, by spinning and sleeping, or for a loop of the
/// user's own, by a set of descriptors that becomes ready.
template <class TransportT>
class LinkWaiter {
 public:
  /// Looks for a message for as long as the transport's wait policy spins.
  void spin(TransportT& link, Deadline deadline) {
    spin_([&] { return link.readable(); }, deadline);
  }

  /// Sleeps until there is a message, or room for what is in the queue; it may end early.
  ///
  /// Errors: the system's.
  Result<void> await_message(TransportT& link, const FrameQueue& queue, Deadline deadline,
                             const os::Wakeup* stop) {
    Result<void> slept;
    const Armed armed = link.arm(queue);
    if (!armed.ready && may_sleep) slept = sleep(link, armed, queue, deadline, stop);
    link.disarm();
    // With something to read there is no hurry to ask the system what else there is.
    if (!link.readable()) link.take_doorbells();
    return slept;
  }

  /// Waits for room alone: messages that are there already do not end it. `flush()` sends what
  /// there is room for, and says whether that was something, or nothing can be sent any more.
  ///
  /// Errors: the system's.
  template <class Flush>
  Result<void> await_room(TransportT& link, const FrameQueue& queue, Deadline deadline,
                          const os::Wakeup* stop, Flush&& flush) {
    Result<void> slept;
    const Armed armed = link.arm(queue);
    Interests interests = armed;
    if (!(armed.ready && flush()) && may_sleep) {
      // The peer's end shows without being asked for, on some transports only on this one.
      if (interests.out) interests.in.read = false;
      slept = os::wait_for(interests, deadline, stop);
    }
    link.disarm();
    link.take_doorbells();
    return slept;
  }

  /// Whether a loop of the user's own waits for this channel.
  explicit operator bool() const { return static_cast<bool>(set_); }

  /// Makes the set for such a loop. Errors: the system's.
  Result<void> create_set() {
    // Better no set at all now than one that can't be signalled when it matters.
    auto created = os::wait_set_with_signal();
    if (!created) return created.error();
    set_.emplace(std::move(*created));
    return {};
  }
  void drop_set() {
    set_.reset();
    watched_ = {};
  }
  NativeHandle native_handle() const { return set_->native_handle(); }

  /// Has the set show what there is to do: now, or when one of `wanted` is ready, or when it is
  /// due.
  Result<void> update(const Interests& wanted, bool ready, Deadline due) {
    if (auto changed = os::watch_instead(*set_, watched_, wanted); !changed) return changed;
    set_->wake_at(Deadline::earlier(due, wake_by_));
    if (ready) return set_->renew();
    set_->clear();
    return {};
  }

  /// Has the set show at this time, too, that there is something to do.
  void wake_by(Deadline deadline, Deadline due) {
    wake_by_ = deadline;
    if (set_) set_->wake_at(Deadline::earlier(due, wake_by_));
  }

  /// Has the loop look again. Not that of the process which this one was forked from.
  void renew() {
    if (set_ && set_->owner().is_this()) static_cast<void>(set_->renew());
  }

  /// For before what closes descriptors: another thread may have their numbers a moment later, and
  /// so may this channel.
  void unwatch() {
    for (const Interest& one : {watched_.in, watched_.out}) {
      if (set_ && one) set_->forget(one.handle);
    }
    watched_ = {};
  }
  /// For after it.
  void forget_watched() {
    for (const Interest& one : {watched_.in, watched_.out}) {
      if (set_ && one) set_->forget_closed(one.handle);
    }
    watched_ = {};
  }

 private:
  using WaitPolicy = typename TransportT::wait_policy;
  static constexpr bool may_sleep = WaitPolicy::spin_time != (std::chrono::nanoseconds::max)();

  static Result<void> sleep(TransportT& link, Interests interests, const FrameQueue& queue,
                            Deadline deadline, const os::Wakeup* stop) {
    if constexpr (requires { link.wait(deadline); }) {
      // It does not end with a request to stop, so it is for the beginning of a sleep.
      constexpr std::chrono::milliseconds brief{10};
      if (queue.empty()) {
        auto slept = link.wait(Deadline::earlier(deadline, Deadline::after(brief)));
        if (!slept || link.readable() || deadline.passed()) return slept;
        // A late doorbell for what was read before has used up the wish for one.
        const Armed again = link.arm(queue);
        if (again.ready) return slept;
        interests = again;
      }
    }
    return os::wait_for(interests, deadline, stop);
  }

  [[no_unique_address]] Spinner<WaitPolicy> spin_;
  ResetOnMove<os::WaitSet> set_;
  Interests watched_;
  Deadline wake_by_ = Deadline::never();
};

}  // namespace strait::detail
