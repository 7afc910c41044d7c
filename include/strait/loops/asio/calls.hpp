#pragma once

// Calls in Asio, of either kind: see loops/asio.hpp.
//
//     strait::AsioCaller<Link> caller(context, Link::connect(name, token).value());
//     const Sum sum = co_await caller.async_call<Sum>(Add{1, 2}, 200ms, asio::use_awaitable);
//
// A server answers by `async_receive` of an `AsioChannel` with `answering`.

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/caller.hpp"
#include "strait/loops/asio.hpp"
#include "strait/loops/asio/call.hpp"
#include "strait/loops/asio/operation.hpp"
#include "strait/loops/steps.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

/// A `Caller` in an Asio executor.
///
/// It receives by itself while calls are under way, so that a context runs out of work when they
/// have ended. What its peer sends besides is lost then, and its calls are `unanswered`. A program
/// that wants these receives them by `async_receive`; from the first one on, replies come in those,
/// too, and one is to be under way while a reply is awaited.
///
/// Ownership, threads: as `AsioChannel`.
template <class ChannelT, class Executor = asio_detail::net::any_io_executor>
class AsioCaller : public AsioChannel<Caller<ChannelT>, Executor> {
  using Base = AsioChannel<Caller<ChannelT>, Executor>;
  using ErrorCode = asio_detail::ErrorCode;

 public:
  AsioCaller() = default;
  AsioCaller(const Executor& executor, ChannelT channel)
      : Base(executor, Caller<ChannelT>(std::move(channel))),
        intake_(std::make_shared<Intake>(executor)) {}
  template <class Context>
    requires std::convertible_to<Context&, asio_detail::net::execution_context&> AsioCaller(
        Context& context, ChannelT channel)
        : AsioCaller(Executor(context.get_executor()), std::move(channel)) {}
    /// Takes over what `async_connect` or `async_accept` has made.
    explicit AsioCaller(AsioChannel<ChannelT, Executor> channel)
        : AsioCaller(channel.get_executor(), channel.release()) {}

    AsioCaller(AsioCaller&&) noexcept = default;
    AsioCaller& operator=(AsioCaller&& other) noexcept {
      AsioCaller old(std::move(*this));
      Base::operator=(std::move(other));
      intake_ = std::move(other.intake_);
      return *this;
    }
    ~AsioCaller() {
      if (intake_) intake_->close();
    }

    /// Calls the peer. Completes with `void(error_code, Reply)`; beside an error the reply is
    /// `Reply()`. Many may be under way.
    ///
    /// Errors: as `Caller::call`; `operation_aborted` for one that was cancelled: its reply, if it
    /// comes, is dropped, and the channel goes on. A reply that has come before is not lost.
    template <class Reply, class Message, class Rep, class Period,
              class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_call(const Message& request, std::chrono::duration<Rep, Period> timeout,
                    CompletionToken&& token = CompletionToken()) {
      static_assert(std::default_initializable<Reply>,
                    "strait: a reply that async_call completes with can be default-constructed, as "
                    "there is one beside an error, too.");
      using Operation = asio_detail::CallOperation<ChannelT, Executor, Message, Reply>;
      return asio_detail::net::async_compose<CompletionToken, void(ErrorCode, Reply)>(
          Operation(this->state_, intake_, request, detail::capped(timeout)), token,
          this->get_executor());
    }

    /// As `AsioChannel::async_receive`: what is no reply goes to the listener, which may be made by
    /// `answering(caller.channel(), ...)`.
    template <class Listener,
              class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_receive(Listener listener, CompletionToken&& token = CompletionToken()) {
      intake_->leave();
      return Base::async_receive(std::move(listener), std::forward<CompletionToken>(token));
    }

    /// As `AsioChannel::async_flush`.
    template <class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_flush(CompletionToken&& token = CompletionToken()) {
      auto& channel = this->state_->source.channel();
      return asio_detail::start<void(ErrorCode), Executor>(
          this->state_, detail::FlushStep<ChannelT>(channel, detail::Deadline::never()),
          [](auto& self, ErrorCode error, const auto&) { self.complete(error); }, token);
    }

    /// Aborts the operations that wait, calls among them; the channel goes on.
    void cancel() {
      end_calls();
      Base::cancel();
    }

    /// Gives the caller away. Operations that wait are aborted. Not from inside its listener.
    Caller<ChannelT> release() {
      end_calls();
      std::exchange(intake_, nullptr)->close();
      return Base::release();
    }

   private:
    using Intake = asio_detail::ReplyIntake<Executor>;

    void end_calls() {
      this->state_->source.end_calls(std::make_error_code(std::errc::operation_canceled));
    }

    std::shared_ptr<Intake> intake_;
};

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait
