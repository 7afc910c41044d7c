#pragma once

// Channels in Asio: standalone Asio (1.18 or later), or Boost.Asio (1.74 or later) where
// STRAIT_BOOST_ASIO is defined before this is included. Some files of a program may use the one,
// and others the other.
//
//     strait::AsioChannel<Link> link(context.get_executor(), Link::connect(name, token).value());
//     for (;;) co_await link.async_receive(listener, asio::use_awaitable);
//
// Each operation takes a completion token and heeds its handler's associated executor, allocator
// and, where Asio has them (1.19, Boost 1.77), cancellation slot, for every type of cancellation:
// a receive, a flush or an accept that was cancelled has lost nothing.
//
// Errors: Asio's own `operation_aborted` for what was cancelled, and what the channel says, which
// compares with `Errc` in either library.
//
// Threads: as Asio's own objects and composed operations: an object is used by one thread at a
// time. A channel, its listener included, is used in the functions that start operations and in the
// executors that their handlers are associated with, which is the object's own by default. With
// several threads in one `io_context` give it a strand, and start its operations there.

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/loops/asio/operation.hpp"
#include "strait/loops/steps.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

/// A channel in an Asio executor; or an acceptor, or whatever else has `poll(listener)` and
/// `native_handle()`.
///
/// Ownership: the channel is this object's; Asio, which closes the descriptors that it is given,
/// has a duplicate. Destroying it closes the channel, and operations that wait are aborted; that
/// may happen inside the channel's listener, too.
template <class ChannelT, class Executor = asio_detail::net::any_io_executor>
class AsioChannel {
 public:
  using channel_type = ChannelT;
  using executor_type = Executor;

  /// No channel, as after a move and beside an error: it may be assigned to and destroyed.
  AsioChannel() = default;
  AsioChannel(const Executor& executor, ChannelT channel)
      : state_(std::make_shared<State>(executor, std::move(channel))) {}
  template <class Context>
    requires std::convertible_to<Context&, asio_detail::net::execution_context&> AsioChannel(
        Context& context, ChannelT channel)
        : AsioChannel(Executor(context.get_executor()), std::move(channel)) {}

    AsioChannel(AsioChannel&&) noexcept = default;
    AsioChannel& operator=(AsioChannel&& other) noexcept {
      AsioChannel old(std::move(*this));
      state_ = std::move(other.state_);
      return *this;
    }
    ~AsioChannel() {
      if (!state_) return;
      state_->close();
      state_->source.close();
    }

    explicit operator bool() const noexcept { return static_cast<bool>(state_); }
    Executor get_executor() const { return state_->descriptor.get_executor(); }

    /// To send, and for all else that waits for nothing. It is not to be moved from, nor replaced.
    ChannelT& channel() noexcept { return state_->source; }
    ChannelT* operator->() noexcept { return &state_->source; }

    /// Calls the listener with what is there, once at least. Completes with
    /// `void(error_code, std::size_t)`: how many times the listener was called.
    ///
    /// It polls before it waits, in this call already: under load it waits for no descriptor. One
    /// at a time.
    /// Errors: those of `poll`: once the channel has ended each operation completes with what ended
    /// it, after all that had arrived. `operation_aborted`: the listener was not called, and
    /// nothing is lost.
    template <class Listener,
              class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_receive(Listener listener, CompletionToken&& token = CompletionToken()) {
      using Step = detail::ReceiveStep<ChannelT, Listener>;
      return asio_detail::start<void(ErrorCode, std::size_t), Executor>(
          state_, Step(state_->source, std::move(listener)),
          [](auto& self, ErrorCode error, std::optional<Result<std::size_t>> handled) {
            self.complete(error, handled ? handled->value_or(0U) : 0U);
          },
          token);
    }

    /// Waits until everything queued is on its way: see `Channel::flush`. Completes with
    /// `void(error_code)`. `async_receive` may wait at the same time.
    ///
    /// While messages wait that nothing receives, or the peer has memory that is out of line, no
    /// wake-up tells of room: then it looks every half to sixteen milliseconds.
    template <class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_flush(CompletionToken&& token = CompletionToken()) {
      return asio_detail::start<void(ErrorCode), Executor>(
          state_, detail::FlushStep<ChannelT>(state_->source, detail::Deadline::never()),
          [](auto& self, ErrorCode error, const auto&) { self.complete(error); }, token);
    }

    /// Aborts the operations that wait; the channel goes on.
    void cancel() { state_->cancel(); }

    /// Gives the channel away. Operations that wait are aborted. Not from inside its listener.
    ChannelT release() {
      const auto state = std::move(state_);
      state->close();
      return std::move(state->source);
    }

   protected:
    using ErrorCode = asio_detail::ErrorCode;
    using State = asio_detail::State<ChannelT, Executor>;

    std::shared_ptr<State> state_;
};

/// Connects to a server. Completes with `void(error_code, AsioChannel<ChannelT, Executor>)`, which
/// is empty beside an error.
///
/// With a timeout a server that is not there yet is waited for; with zero it is one attempt, which
/// has the usual time of a handshake. Errors: those of `Channel::connect`; `operation_aborted`.
template <class ChannelT, class Executor, class Rep, class Period,
          class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
auto async_connect(const Executor& executor,
                   const detail::NameOf<typename ChannelT::transport>& name, const Token& token,
                   std::chrono::duration<Rep, Period> timeout,
                   CompletionToken&& completion = CompletionToken(),
                   typename ChannelT::observer_type observer = {}) {
  using Link = AsioChannel<ChannelT, Executor>;
  using asio_detail::ErrorCode;
  return asio_detail::start<void(ErrorCode, Link), Executor>(
      std::make_shared<asio_detail::Waiter<Executor>>(executor),
      detail::ConnectStep<ChannelT>(name, token, detail::Deadline::after(timeout),
                                    std::move(observer)),
      [executor](auto& self, ErrorCode error, std::optional<Result<ChannelT>> made) {
        self.complete(error, error ? Link() : Link(executor, std::move(**made)));
      },
      completion);
}

/// A name in an Asio executor, whose clients become channels of their own.
template <class ChannelT, class Executor = asio_detail::net::any_io_executor>
class AsioServer {
 public:
  using channel_type = ChannelT;
  using executor_type = Executor;

  AsioServer(const Executor& executor, ChannelServer<ChannelT> server)
      : state_(std::make_shared<State>(executor, std::move(server))) {}
  template <class Context>
    requires std::convertible_to<Context&, asio_detail::net::execution_context&> AsioServer(
        Context& context, ChannelServer<ChannelT> server)
        : AsioServer(Executor(context.get_executor()), std::move(server)) {}

    AsioServer(AsioServer&&) noexcept = default;
    AsioServer& operator=(AsioServer&& other) noexcept {
      AsioServer old(std::move(*this));
      state_ = std::move(other.state_);
      return *this;
    }
    ~AsioServer() {
      if (!state_) return;
      state_->close();
      state_->source.close();
    }

    Executor get_executor() const { return state_->descriptor.get_executor(); }

    /// Waits for the next client that has the token. Completes with
    /// `void(error_code, AsioChannel<ChannelT, Executor>)`, which is empty beside an error. One at
    /// a time.
    ///
    /// Errors: those of `ChannelServer::accept`; `operation_aborted`: no client is lost.
    template <class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_accept(CompletionToken&& token = CompletionToken()) {
      return async_accept(get_executor(), std::forward<CompletionToken>(token));
    }
    /// The same, for a channel with another executor, such as a strand of its own.
    template <class CompletionToken = asio_detail::net::default_completion_token_t<Executor>>
    auto async_accept(const Executor& executor, CompletionToken&& token = CompletionToken()) {
      using Link = AsioChannel<ChannelT, Executor>;
      using asio_detail::ErrorCode;
      return asio_detail::start<void(ErrorCode, Link), Executor>(
          state_, detail::AcceptStep<ChannelServer<ChannelT>>(state_->source),
          [executor](auto& self, ErrorCode error, std::optional<Result<ChannelT>> client) {
            self.complete(error, error ? Link() : Link(executor, std::move(**client)));
          },
          token);
    }

    /// Aborts the operation that waits; the name stays.
    void cancel() { state_->cancel(); }

   private:
    using State = asio_detail::State<ChannelServer<ChannelT>, Executor>;

    std::shared_ptr<State> state_;
};

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait
