#pragma once

#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/caller.hpp"
#include "strait/calls/frame.hpp"
#include "strait/loops/asio/operation.hpp"
#include "strait/result.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

namespace asio_detail {

/// What takes replies in while calls wait for some, and the program does not receive. It has a
/// descriptor of its own, whose wait can be ended alone.
template <class Executor>
struct ReplyIntake : Waiter<Executor> {
  using Waiter<Executor>::Waiter;

  void end_wait() {
    ErrorCode ignored;
    this->descriptor.cancel(ignored);
  }
  /// From now on the program receives.
  void leave() {
    left = true;
    end_wait();
  }

  bool running = false;
  bool left = false;
};

/// A turn of it, as a handler.
template <class ChannelT, class Executor>
class TakeReplies {
 public:
  using CallerState = State<Caller<ChannelT>, Executor>;

  TakeReplies(std::shared_ptr<CallerState> state, std::shared_ptr<ReplyIntake<Executor>> intake)
      : state_(std::move(state)), intake_(std::move(intake)) {}

  static void start(const std::shared_ptr<CallerState>& state,
                    const std::shared_ptr<ReplyIntake<Executor>>& intake) {
    if (intake->left || std::exchange(intake->running, true)) return;
    net::post(state->descriptor.get_executor(), TakeReplies(state, intake));
  }

  void operator()(ErrorCode = {}) {
    auto& caller = state_->source;
    const bool wanted = !intake_->closed && !intake_->left && caller.calls_under_way() != 0;
    if (!wanted) {
      intake_->running = false;
      return;
    }
    const auto handled = caller.poll();
    if (handled && *handled == 0) return wait();
    // Others have their turn. An error that ends the channel has ended the calls, too.
    const auto executor = intake_->descriptor.get_executor();
    net::post(executor, std::move(*this));
  }

 private:
  void wait() {
    const auto handle = state_->source.native_handle();
    const auto watched = handle ? intake_->watch(*handle) : Result<void>(handle.error());
    if (!watched) {
      intake_->running = false;
      return state_->source.end_calls(watched.error());
    }
    auto& descriptor = intake_->descriptor;
    wait_readable(descriptor, std::move(*this));
  }

  std::shared_ptr<CallerState> state_;
  std::shared_ptr<ReplyIntake<Executor>> intake_;
};

/// Where a call's result is put, and what its operation waits for meanwhile: a timer that never
/// ends by itself. So the handler is Asio's, as those of all other waits.
template <class Executor, class Reply>
struct PendingReply {
  explicit PendingReply(const Executor& executor)
      : timer(executor, std::chrono::steady_clock::time_point::max()) {}

  Timer<Executor> timer;
  std::optional<Result<Reply>> result;
};

/// A call, as a composed operation.
template <class ChannelT, class Executor, class Message, class Reply>
class CallOperation {
 public:
  using CallerState = State<Caller<ChannelT>, Executor>;

  CallOperation(std::shared_ptr<CallerState> state, std::shared_ptr<ReplyIntake<Executor>> intake,
                const Message& request, std::chrono::nanoseconds timeout)
      : state_(std::move(state)),
        intake_(std::move(intake)),
        request_(request),
        timeout_(timeout) {}

  template <class Self>
  void operator()(Self& self, ErrorCode = {}) {
    if (!begun_) {
      begun_ = true;
      allow_cancellation(self);
      return begin(self);
    }
    if (pending_ && !pending_->result) {
      // Its wait has ended without a reply: the operation was cancelled. A caller that is gone has
      // no call to end any more.
      if (!state_->closed) state_->source.cancel(id_);
      pending_->result = Result<Reply>(std::make_error_code(std::errc::operation_canceled));
    }
    finish(self);
  }

 private:
  template <class Self>
  void begin(Self& self) {
    auto allocator = net::get_associated_allocator(self);
    pending_ = std::allocate_shared<Pending>(allocator, state_->descriptor.get_executor());
    const auto on_reply = [pending = std::weak_ptr<Pending>(pending_)](Result<Reply> reply) {
      const auto call = pending.lock();
      if (!call) return;  // its context has ended
      call->result = std::move(reply);
      call->timer.cancel();
    };
    const auto id = state_->source.template call<Reply>(request_, timeout_, on_reply);
    if (!id) {
      pending_->result = Result<Reply>(id.error());
      return net::post(std::move(self));
    }
    id_ = *id;
    TakeReplies<ChannelT, Executor>::start(state_, intake_);
    auto& timer = pending_->timer;
    timer.async_wait(std::move(self));
  }

  template <class Self>
  void finish(Self& self) {
    Result<Reply> reply = *std::move(pending_->result);
    const bool aborted = state_->closed || reply.error() == std::errc::operation_canceled;
    // Nothing else would end the wait for a reply that no call waits for.
    if (!state_->closed && state_->source.calls_under_way() == 0) intake_->end_wait();
    // Asio's rule: what an operation holds is free again before its handler is called.
    pending_.reset();
    state_.reset();
    intake_.reset();
    if (reply) return self.complete(ErrorCode(), std::move(*reply));
    self.complete(aborted ? ErrorCode(net::error::operation_aborted) : to_asio(reply.error()),
                  Reply());
  }

  using Pending = PendingReply<Executor, Reply>;

  std::shared_ptr<CallerState> state_;
  std::shared_ptr<ReplyIntake<Executor>> intake_;
  Message request_;
  std::chrono::nanoseconds timeout_;
  std::shared_ptr<Pending> pending_;
  CallId id_{};
  bool begun_ = false;
};

}  // namespace asio_detail

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait
