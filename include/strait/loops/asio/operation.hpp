#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/config.hpp"
#include "strait/loops/asio/net.hpp"
#include "strait/loops/steps.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/loops/asio/windows/waiter.hpp"
#else
#include "strait/loops/asio/posix/waiter.hpp"
#endif

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

namespace asio_detail {

/// The same with what it is about. Operations share it, and find it closed when its owner has gone.
template <class Source, class Executor>
struct State : Waiter<Executor> {
  State(const Executor& executor, Source from)
      : Waiter<Executor>(executor), source(std::move(from)) {}

  Source source;
};

/// A step, made a composed operation.
template <class Executor, class Step, class Complete>
class Operation {
 public:
  Operation(std::shared_ptr<Waiter<Executor>> waiter, Step step, Complete complete)
      : waiter_(std::move(waiter)),
        cancels_(waiter_->cancels),
        step_(std::move(step)),
        complete_(std::move(complete)) {}

  template <class Self>
  void operator()(Self& self, ErrorCode error = {}) {
    if (!suspended_) allow_cancellation(self);
    error = wait_.end(error);
    if (!result_) {
      if (waiter_->closed || waiter_->cancels != cancels_ || is_cancelled(self)) {
        error = net::error::operation_aborted;
      }
      if (error) return finish(self, error);
      result_ = step_.try_now();
      if (!result_ && wait(self)) return;
      if (!suspended_) {  // no handler is called in the function that starts its operation
        suspended_ = true;
        return net::post(std::move(self));
      }
    }
    const auto failed = to_asio(result_->error());
    finish(self, failed);
  }

 private:
  /// False if there is a result instead.
  template <class Self>
  bool wait(Self& self) {
    const auto wait = step_.wait();
    if (!wait) {
      result_ = wait.error();
      return false;
    }
    // What outlives the move of this.
    if (wait->handle == no_handle) {
      if (!timer_) timer_ = std::make_unique<Timer<Executor>>(waiter_->descriptor.get_executor());
      auto& timer = *timer_;
      timer.expires_after(wait->until.left_up_to(std::chrono::hours{1}));
      suspended_ = true;
      timer.async_wait(std::move(self));
      return true;
    }
    if (const auto watched = waiter_->watch(wait->handle); !watched) {
      result_ = watched.error();
      return false;
    }
    suspended_ = true;
    HandleWait<Executor>::start(wait_, *waiter_, std::move(self));
    return true;
  }

  template <class Self>
  void finish(Self& self, ErrorCode error) {
    auto result = std::move(result_);
    auto complete = std::move(complete_);
    // Asio's rule: what an operation holds is free again before its handler is called.
    timer_.reset();
    wait_ = {};
    waiter_.reset();
    complete(self, error, std::move(result));
  }

  std::shared_ptr<Waiter<Executor>> waiter_;
  std::size_t cancels_;
  Step step_;
  Complete complete_;
  std::unique_ptr<Timer<Executor>> timer_;
  HandleWait<Executor> wait_;
  std::optional<Result<typename Step::value_type>> result_;
  bool suspended_ = false;
};

template <class Signature, class Executor, class Step, class Complete, class CompletionToken>
auto start(std::shared_ptr<Waiter<Executor>> waiter, Step step, Complete complete,
           CompletionToken&& token) {
  auto executor = waiter->descriptor.get_executor();
  return net::async_compose<CompletionToken, Signature>(
      Operation<Executor, Step, Complete>(std::move(waiter), std::move(step), std::move(complete)),
      token, executor);
}

}  // namespace asio_detail

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait
