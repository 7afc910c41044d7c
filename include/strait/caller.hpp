#pragma once

#include <concepts>
#include <cstddef>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/calls/awaiter.hpp"
#include "strait/calls/frame.hpp"
#include "strait/calls/table.hpp"
#include "strait/channel_options.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializers/calls.hpp"
#include "strait/token.hpp"

namespace strait {

namespace detail {

/// Takes no message.
struct NoListener {};

template <class SerializerT>
inline constexpr bool makes_calls = false;
template <class SerializerT>
inline constexpr bool makes_calls<Calls<SerializerT>> = true;

/// A listener that has replies go to their calls, and passes on the rest.
template <class ChannelT, class Listener>
struct ReplyListener {
  static constexpr bool takes_calls = true;
  static constexpr bool takes_calls_alone = std::is_same_v<Listener, NoListener>;

  ChannelT& channel;
  CallTable& calls;
  Listener& listener;

  void operator()(IncomingCall in, Rights rights = {}) {
    if (in.trailer.kind != CallKind::call) {
      in.result = calls.reply(in, std::move(rights));
    } else if constexpr (TakesCalls<Listener>) {
      listener(in, std::move(rights));
    } else {
      // Its caller shall not wait for what does not come.
      static_cast<void>(
          channel.send(OutgoingCall<Nothing>{Nothing(), {CallKind::unanswered, in.trailer.id}}));
    }
  }
  template <class... Arguments>
    requires std::invocable<Listener&, Arguments...>
  void operator()(Arguments&&... arguments) { listener(std::forward<Arguments>(arguments)...); }
  void on_connected(const Peer& peer) requires requires { listener.on_connected(peer); }
  { listener.on_connected(peer); }

  // Of a channel that connects again:

  template <class LinkT>
  void on_up(LinkT& link) {
    if constexpr (requires { listener.on_up(link); }) {
      listener.on_up(link);
    } else {
      static_assert(
          !requires { &Listener::on_up; },
          "strait: a reconnecting client's listener has on_up(Link&).");
    }
  }
  void on_down(std::error_code why) {
    calls.end_connection(why);
    if constexpr (requires { listener.on_down(why); }) {
      listener.on_down(why);
    } else {
      static_assert(
          !requires { &Listener::on_down; },
          "strait: a reconnecting client's listener has on_down(std::error_code).");
    }
  }
};

/// A call's handler for one that takes a `Result<Reply>`.
template <class Reply, class OnReply>
struct ResultHandler {
  OnReply on_reply;

  void operator()(const Reply& reply) requires(!std::invocable<OnReply&, Result<Reply>, Rights>) {
    on_reply(Result<Reply>(reply));
  }
  void operator()(const Reply& reply,
                  Rights rights) requires std::invocable<OnReply&, Result<Reply>, Rights> {
    on_reply(Result<Reply>(reply), std::move(rights));
  }
  void operator()(std::error_code why) {
    if (!why) return;
    if constexpr (std::invocable<OnReply&, Result<Reply>, Rights>) {
      on_reply(Result<Reply>(why), Rights());
    } else {
      on_reply(Result<Reply>(why));
    }
  }
};

}  // namespace detail

/// Makes calls over a channel, each answered by a reply of its own: many may be under way, and
/// their replies come in any order. The channel's serializer is a `Calls`.
///
///     caller.call<Sum>(Add{1, 2}, 200ms, [](strait::Result<Sum> sum) { ... });
///
/// A call that was made ends exactly once: with its reply, or with why there is none: `timed_out`,
/// `operation_canceled`, `unanswered` (the peer let go of it), `unexpected_message` (the handler
/// takes no reply of this type), or what ended the channel. Its handler runs inside `poll`, `wait`
/// or `run`, or inside `cancel` or `close`, and may make calls and cancel some. A caller that is
/// destroyed destroys its handlers uncalled, since what they refer to may be gone: `close` it
/// before where something waits for them.
///
/// A peer that replies to what was not asked, or twice, is `malformed`. One that never replies
/// keeps the place of a call that has timed out, of which a caller has a million.
///
/// The channel may be a `Reconnecting` one: then calls end whenever its server goes, and others can
/// be made when it is there again. A server that calls its clients is an
/// `Acceptor<Caller<Channel>>`: its listener has the client's caller in front of the message, and
/// calls to a client that goes end before `on_closed` tells of it.
///
/// It stands for the channel in loops: they take it where they take a channel, and the times of
/// calls are among what makes its `native_handle` ready. Nothing is allocated for a call whose
/// handler has no more than 64 bytes, once there have been as many.
///
/// Threads: one at a time. Do not move or destroy it inside a handler.
template <class ChannelT>
class Caller {
  static_assert(detail::makes_calls<typename ChannelT::serializer>,
                "strait: a Caller's channel has a Calls serializer, such as "
                "Calls<TrivialSerializer<Add, Sum>>.");
  using Messages = typename ChannelT::serializer::Messages;

 public:
  using serializer = typename ChannelT::serializer;
  using transport = typename ChannelT::transport;
  using observer_type = typename ChannelT::observer_type;
  static constexpr ChannelOptions channel_options = ChannelT::channel_options;

  explicit Caller(ChannelT channel) : channel_(std::move(channel)) {}

  /// Calls the peer. `on_reply` takes the messages that may be the reply (`const Sum&`), as a
  /// listener does, or also its `Rights`, and a `std::error_code` that says why there is none.
  ///
  /// Errors: those of `Channel::send`; `queue_full` with a million calls under way. There is no
  /// call then, and `on_reply` is not called.
  template <class... None, class Message, class Rep, class Period, class OnReply>
    requires(sizeof...(None) == 0)
  Result<CallId> call(const Message& request, std::chrono::duration<Rep, Period> timeout,
                      OnReply on_reply) {
    return begin(request, timeout, std::move(on_reply), false);
  }
  /// The same with rights, which come with the request, for an `answering` listener that takes
  /// them behind it. They are gone from `rights` exactly when this succeeds.
  template <class... None, class Message, class Rep, class Period, class OnReply>
    requires(sizeof...(None) == 0)
  Result<CallId> call(const Message& request, Rights&& rights,
                      std::chrono::duration<Rep, Period> timeout, OnReply on_reply) {
    return begin(request, timeout, std::move(on_reply), false, std::move(rights));
  }

  /// The same where one type of reply alone is taken: `on_reply` takes a `Result<Reply>`.
  template <class Reply, class Message, class Rep, class Period, class OnReply>
  Result<CallId> call(const Message& request, std::chrono::duration<Rep, Period> timeout,
                      OnReply on_reply) {
    static_assert(takes_result<Reply, OnReply>,
                  "strait: what is done with a call's reply takes a Result of it.");
    return begin(request, timeout, detail::ResultHandler<Reply, OnReply>{std::move(on_reply)},
                 false);
  }
  template <class Reply, class Message, class Rep, class Period, class OnReply>
  Result<CallId> call(const Message& request, Rights&& rights,
                      std::chrono::duration<Rep, Period> timeout, OnReply on_reply) {
    static_assert(takes_result<Reply, OnReply>,
                  "strait: what is done with a call's reply takes a Result of it.");
    return begin(request, timeout, detail::ResultHandler<Reply, OnReply>{std::move(on_reply)},
                 false, std::move(rights));
  }

  /// The same for a coroutine, which goes on inside `poll`, `wait` or `run`, where it must not
  /// destroy the caller; in a loop's coroutines take a `LoopCaller`:
  /// `strait::Result<Sum> sum = co_await caller.call<Sum>(Add{1, 2}, 200ms);`
  ///
  /// The reply is a copy: one with views of the message is for a handler.
  template <class Reply, class Message, class Rep, class Period>
  auto call(const Message& request, std::chrono::duration<Rep, Period> timeout) {
    return detail::CallAwaiter<Caller, Reply, Message>(*this, request, detail::capped(timeout));
  }

  /// Calls for a stream of replies. `on_reply` takes each of them, and at the end, or at `timeout`,
  /// a `std::error_code`, which is zero when the last one has come.
  template <class Message, class Rep, class Period, class OnReply>
  Result<CallId> stream(const Message& request, std::chrono::duration<Rep, Period> timeout,
                        OnReply on_reply) {
    return begin(request, timeout, std::move(on_reply), true);
  }

  /// Ends a call with `operation_canceled`; the peer is not told. False if it has ended before.
  bool cancel(CallId id) {
    const bool cancelled = calls_.give_up(id, std::make_error_code(std::errc::operation_canceled));
    channel_.wake_by(calls_.next_deadline());
    return cancelled;
  }

  /// How many calls are under way.
  std::size_t calls_under_way() const { return calls_.waiting(); }

  /// As `Channel::send`, of what is no call.
  template <class Message>
  Result<void> send(Message&& message) {
    return channel_.send(std::forward<Message>(message));
  }
  template <class Message>
  Result<void> send(const Message& message, Rights&& rights) {
    return channel_.send(message, std::move(rights));
  }

  /// As `Channel::poll`. The listener takes what the peer sends besides; with `answering` also its
  /// calls. Calls that end by their time count as handled.
  template <class Listener>
  Result<std::size_t> poll(Listener&& listener) {
    const std::size_t expired = expire();
    detail::ReplyListener<ChannelT, std::remove_reference_t<Listener>> all{channel_, calls_,
                                                                           listener};
    return conclude(channel_.poll(all), expired);
  }
  Result<std::size_t> poll() { return poll(nobody()); }

  /// As `Channel::wait`.
  template <class Listener, class Rep, class Period>
  Result<std::size_t> wait(Listener&& listener, std::chrono::duration<Rep, Period> duration) {
    return wait_until(listener, detail::Deadline::after(duration)).handled;
  }
  template <class Rep, class Period>
  Result<std::size_t> wait(std::chrono::duration<Rep, Period> duration) {
    return wait(nobody(), duration);
  }

  /// As `Channel::run`.
  template <class Listener>
  Result<void> run(Listener&& listener) {
    for (;;) {
      const auto [handled, stopped] = wait_until(listener, detail::Deadline::never());
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
      if (stopped) return {};
    }
  }
  Result<void> run() { return run(nobody()); }

  /// As `Channel::stop`.
  void stop() noexcept { channel_.stop(); }

  Result<NativeHandle> native_handle() {
    auto handle = channel_.native_handle();
    channel_.wake_by(calls_.next_deadline());
    return handle;
  }

  /// As `Channel::close`; calls that are under way end with `closed`.
  void close() noexcept {
    channel_.close();
    calls_.end_all(make_error_code(Errc::closed));
  }

  /// Ends all calls that are under way with this error, as `cancel` does one.
  void end_calls(std::error_code why) {
    calls_.end_all(why);
    channel_.wake_by(calls_.next_deadline());
  }

  /// The channel, for all else; not to be polled by itself.
  ChannelT& channel() noexcept { return channel_; }

  // As those of the channel, for an acceptor of callers.

  const Peer& peer() const noexcept { return channel_.peer(); }
  observer_type& observer() noexcept { return channel_.observer(); }

  /// To a client that was let in.
  template <class Introduced>
  Caller(Introduced client, bool greeting, observer_type observer)
      : channel_(std::move(client), greeting, std::move(observer)) {}
  static auto terms(const Token& token) { return ChannelT::terms(token); }
  static constexpr auto accept_limits() { return ChannelT::accept_limits(); }
  void close_because(std::error_code why) noexcept {
    channel_.close_because(why);
    calls_.end_all(why);
  }
  auto out_of_line_bytes(std::size_t bytes) { return channel_.out_of_line_bytes(bytes); }
  template <class Message, class Payload>
  Result<void> send_payload(const Payload& payload) {
    return channel_.template send_payload<Message>(payload);
  }

 private:
  static detail::NoListener& nobody() {
    static detail::NoListener none;
    return none;
  }

  template <class Reply, class OnReply>
  static constexpr bool takes_result =
      std::invocable<OnReply&, Result<Reply>> || std::invocable<OnReply&, Result<Reply>, Rights>;

  template <class Message, class Rep, class Period, class OnReply, class... List>
  Result<CallId> begin(const Message& request, std::chrono::duration<Rep, Period> timeout,
                       OnReply on_reply, bool streams, List&&... rights) {
    static_assert(std::invocable<OnReply&, std::error_code>,
                  "strait: what is done with a call's reply takes a std::error_code, too, which "
                  "says why there is none.");
    const auto deadline = detail::Deadline::after(timeout);
    auto id =
        calls_.add(detail::ReplyHandler::make<Messages>(std::move(on_reply)), deadline, streams);
    if (!id) return id;
    const auto sent =
        channel_.send(detail::OutgoingCall<Message>{request, {detail::CallKind::call, *id}},
                      std::forward<List>(rights)...);
    if (!sent) {
      calls_.remove(*id);
      return sent.error();
    }
    if (calls_.next_deadline() == deadline) channel_.wake_by(deadline);
    return id;
  }

  /// Ends the calls whose time is up, not those that their handlers make meanwhile.
  std::size_t expire() {
    std::size_t expired = 0;
    for (std::size_t most = calls_.waiting(); expired != most && calls_.expire_one();) ++expired;
    return expired;
  }

  Result<std::size_t> conclude(Result<std::size_t> handled, std::size_t expired) {
    if (!handled && handled.error() != Errc::unexpected_message && handled.error() != Errc::busy) {
      expired += calls_.waiting();
      calls_.end_all(handled.error());
    }
    channel_.wake_by(calls_.next_deadline());
    if (handled) return *handled + expired;
    // An error that ends the channel is told again, a message of another type is not.
    const bool is_told_again = !handled.failed_with(Errc::unexpected_message);
    return expired != 0 && is_told_again ? Result<std::size_t>(expired) : handled;
  }

  struct Waited {
    Result<std::size_t> handled;
    bool stopped;
  };
  template <class Listener>
  Waited wait_until(Listener& listener, detail::Deadline deadline) {
    for (;;) {
      if (const std::size_t expired = expire()) {
        channel_.wake_by(calls_.next_deadline());
        return {expired, false};
      }
      const auto until = detail::Deadline::earlier(deadline, calls_.next_deadline());
      detail::ReplyListener<ChannelT, std::remove_reference_t<Listener>> all{channel_, calls_,
                                                                             listener};
      bool stopped = false;
      const auto handled = conclude(channel_.wait_or_stop(all, until, stopped), 0);
      if (!handled || *handled != 0 || stopped || deadline.passed()) return {handled, stopped};
    }
  }

  ChannelT channel_;
  detail::CallTable calls_;
};

}  // namespace strait
