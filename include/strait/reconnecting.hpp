#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/reconnect_options.hpp"
#include "strait/redelivery/backoff.hpp"
#include "strait/redelivery/client.hpp"
#include "strait/redelivery/frame.hpp"
#include "strait/redelivery/reconnecting_listener.hpp"
#include "strait/result.hpp"
#include "strait/serializers/acknowledged.hpp"
#include "strait/token.hpp"

namespace strait {

namespace detail {

/// Nothing is kept.
struct NothingKept {
  static Result<NothingKept> create() { return NothingKept(); }
  static std::size_t count() { return 0; }
};

template <class ChannelT, class Policy>
struct KeptBy {
  static_assert(std::is_same_v<Policy, NoRedelivery>,
                "strait: the second argument of Reconnecting is NoRedelivery or Redeliver<>.");
  using Type = NothingKept;
};
template <class ChannelT, std::size_t max_bytes>
struct KeptBy<ChannelT, Redeliver<max_bytes>> {
  static_assert(acknowledges<typename ChannelT::serializer>,
                "strait: what is sent again goes over a channel with an Acknowledged serializer, "
                "such as Acknowledged<TrivialSerializer<Entry>>.");
  using Type = RedeliveryClient<ChannelT, max_bytes>;
};

}  // namespace detail

/// A client whose server may go and come again: connects, and connects again after pauses that grow
/// and differ from client to client.
///
///     auto client = strait::Reconnecting<Link>::connect("logger", token).value();
///     client.run(listener);
///
/// The listener is a channel's, and may also have
///
///     void on_up(Link&);                      the server is there
///     void on_down(std::error_code why);      it is gone: once after each `on_up`
///     void on_unknown(std::size_t messages);  see `Redeliver`
///
/// It polls like a channel, in every loop that takes one; while there is no server it costs nothing
/// but the attempts. A `Caller` takes it for a channel, too: calls that are under way when the
/// server goes end with why it has gone, and before it has come again none is made.
///
/// What can't get better by itself is the end: `bad_token`, `version_mismatch`, `schema_mismatch`,
/// `send_policy_mismatch`, `queue_size_mismatch`, `invalid_name`, `other_transport`, `unsupported`;
/// and so is a server that breaks the rules: `malformed`, `bad_region`, `message_too_large`,
/// `too_many_rights`. Every call says so from then on.
///
/// Threads: one at a time. Do not move or destroy it inside its own listener.
template <class ChannelT, class Policy = NoRedelivery,
          ReconnectOptions options = ReconnectOptions{}>
class Reconnecting {
  using Kept = typename detail::KeptBy<ChannelT, Policy>::Type;

 public:
  using channel_type = ChannelT;
  using serializer = typename ChannelT::serializer;
  using transport = typename ChannelT::transport;
  using observer_type = typename ChannelT::observer_type;
  static constexpr ChannelOptions channel_options = ChannelT::channel_options;
  static constexpr bool redelivers = !std::is_same_v<Policy, NoRedelivery>;

  /// Begins to connect in the first `poll`; each channel gets a copy of the observer.
  ///
  /// Errors: the system's. Blocking: never.
  [[nodiscard]] static Result<Reconnecting> connect(
      const detail::NameOf<typename ChannelT::transport>& name, const Token& token,
      observer_type observer = {}) {
    auto set = os::wait_set_with_signal();
    if (!set) return set.error();
    if (auto signalled = set->signal(); !signalled) return signalled.error();
    auto kept = Kept::create();
    if (!kept) return kept.error();
    return Reconnecting(name, token, std::move(*set), std::move(*kept), std::move(observer));
  }

  Reconnecting(Reconnecting&&) noexcept = default;
  Reconnecting& operator=(Reconnecting&&) noexcept = default;

  /// As `Channel::send`; with `Redeliver` at any time, and success means that the message is kept.
  ///
  /// Errors: those of `Channel::send`; without `Redeliver` `std::errc::not_connected` while there
  /// is no server; with it `queue_full` when `max_bytes` are not acknowledged. Blocking: never.
  template <class Message, class... Others>
  Result<void> send(Message&& message, Others&&... others) {
    if (ended_) return ended_;
    if constexpr (redelivers) {
      static_assert(sizeof...(Others) == 0,
                    "strait: rights are not kept to be sent again; send them over channel().");
      if (auto kept = kept_.keep(message); !kept) return kept;
      if (channel_) kept_.send_on(*channel_);
      return {};
    } else {
      if (!up_) return std::make_error_code(std::errc::not_connected);
      return channel_->send(std::forward<Message>(message), std::forward<Others>(others)...);
    }
  }

  /// Connects if it is time, and handles what is there. Returns how many times there was something:
  /// messages, and that the server has come or gone.
  ///
  /// Errors: what is the end, see above; `closed`; `unexpected_message`, which is not the end;
  /// `busy` from inside a listener; the system's. Blocking: never.
  template <class Listener>
  Result<std::size_t> poll(Listener&& listener) {
    if (in_listener_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    return handle(listener);
  }

  /// As `poll`, but waits until there is something. 0 when the time is up.
  ///
  /// Blocking: up to `duration`. It sleeps at once, whatever the transport's wait policy says.
  template <class Listener, class Rep, class Period>
  Result<std::size_t> wait(Listener&& listener, std::chrono::duration<Rep, Period> duration) {
    if (in_listener_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    return wait_until(listener, detail::Deadline::after(duration));
  }

  /// Until `stop`, `close` or an error. Blocking: until then.
  template <class Listener>
  Result<void> run(Listener&& listener) {
    if (in_listener_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    while (!stop_.raised()) {
      const auto handled = wait_until(listener, detail::Deadline::never());
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
    }
    return {};
  }

  /// Makes the `run` or `wait` that is under way return when it has handled what is there; if there
  /// is none, the next one at once. Threads, signals: as `Channel::stop`.
  void stop() noexcept { stop_.raise(); }

  /// Ends it, without `on_down`: what is kept is lost.
  void close() noexcept {
    if (!ended_) ended_ = make_error_code(Errc::closed);
    if (in_listener_) {
      if (channel_) channel_->close();
    } else {
      leave();
    }
    static_cast<void>(set_.renew());
  }

  /// As `Channel::native_handle`.
  HandleResult native_handle() const noexcept { return set_.native_handle(); }

  /// The channel to the server; null while it is not there.
  ChannelT* channel() noexcept { return up_ ? &*channel_ : nullptr; }

  /// How often the server was there, this time included: what belongs to one connection is of no
  /// use for the next.
  std::uint64_t connection() const noexcept { return connection_; }

  /// How many messages wait to be acknowledged.
  std::size_t unacknowledged() const noexcept { return kept_.count(); }

  /// Why the server is not there, or was not the last time.
  const std::error_code& last_error() const noexcept { return last_error_; }

  // For the library's own parts, as those of `Channel`.

  template <class Listener>
  Result<std::size_t> wait_or_stop(Listener& listener, detail::Deadline until, bool& stopped) {
    if (in_listener_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_, &stopped);
    return wait_until(listener, until);
  }
  void wake_by(detail::Deadline deadline) {
    wake_by_ = deadline;
    set_.wake_at(next_wake_up());
  }

 private:
  template <class ClientT, class Listener>
  friend struct detail::ReconnectingListener;

  /// A listener may be called while this lives.
  class Listening {
   public:
    explicit Listening(Reconnecting& client) : client_(client) { client_.in_listener_ = true; }
    ~Listening() {
      client_.in_listener_ = false;
      if (!finished) static_cast<void>(client_.set_.renew());
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    /// No listener has thrown.
    bool finished = false;

   private:
    Reconnecting& client_;
  };

  Reconnecting(const detail::NameOf<typename ChannelT::transport>& name, const Token& token,
               os::WaitSet set, Kept kept, observer_type observer)
      : name_(name),
        token_(token),
        set_(std::move(set)),
        kept_(std::move(kept)),
        observer_(std::move(observer)) {}

  template <class Listener>
  Result<std::size_t> wait_until(Listener& listener, detail::Deadline deadline) {
    for (;;) {
      auto handled = handle(listener);
      if (!handled || *handled != 0 || stop_.raised() || deadline.passed()) return handled;
      // Without a descriptor for the wake-up, a request to stop is looked for now and then.
      constexpr std::chrono::milliseconds look_again{100};
      auto until = detail::Deadline::earlier(deadline, next_attempt());
      if (!stop_.prepare()) {
        until = detail::Deadline::earlier(until, detail::Deadline::after(look_again));
      }
      if (stop_.raised()) return handled;
      const auto slept =
          os::wait_for({Interest::to_read(set_.native_handle())}, until, stop_.wakeup());
      if (!slept) return slept.error();
    }
  }

  template <class Listener>
  Result<std::size_t> handle(Listener& listener) {
    static_assert(detail::check_reconnecting_hooks<ChannelT, Listener>());
    if (ended_) return ended_;
    set_.clear();
    std::size_t handled = 0;
    std::error_code error;
    if (!channel_ && next_attempt_.passed()) begin();
    if (channel_) {
      Listening listening(*this);
      detail::ReconnectingListener<Reconnecting, Listener> all{*this, listener};
      const auto polled = channel_->poll(all);
      handled = polled.value_or(0);
      if (!polled && polled.error() == Errc::unexpected_message) {
        error = polled.error();
      } else if (!polled) {
        handled += down(polled.error(), listener);
      }
      if constexpr (redelivers) {
        if (channel_) kept_.send_on(*channel_);
      }
      listening.finished = true;
    }
    set_.wake_at(next_wake_up());
    if (ended_) {
      leave();
      // What was handled is told first.
      if (handled == 0) error = ended_;
      if (auto shown = set_.renew(); !shown) return shown.error();
    }
    return error ? Result<std::size_t>(error) : handled;
  }

  detail::Deadline next_attempt() const {
    return channel_ || ended_ ? detail::Deadline::never() : next_attempt_;
  }
  detail::Deadline next_wake_up() const {
    return detail::Deadline::earlier(next_attempt(), wake_by_);
  }

  /// Says Hello; the channel goes on from there by itself.
  void begin() {
    auto channel = ChannelT::connect(name_, token_, std::chrono::milliseconds(0), observer_);
    if (!channel) return failed(channel.error());
    channel_.emplace(std::move(*channel));
    const auto handle = channel_->native_handle();
    Result<void> watched = handle ? set_.watch(Interest::to_read(*handle)) : handle.error();
    if (watched) return;
    leave();
    failed(watched.error());
  }

  void failed(std::error_code why) {
    last_error_ = why;
    if (is_final(why)) {
      if (!ended_) ended_ = why;
    } else {
      next_attempt_ = backoff_.next();
    }
  }

  template <class Listener>
  void connected(Listener& listener) {
    if constexpr (redelivers) {
      static_cast<void>(kept_.greet(*channel_));
    } else {
      up(listener);
    }
  }

  template <class Listener>
  Result<void> take(const detail::IncomingFrame& in, Listener& listener) {
    const auto unknown = kept_.take(in);
    if (!unknown) return unknown.error();
    if constexpr (requires { listener.on_unknown(*unknown); }) {
      if (*unknown != 0) listener.on_unknown(*unknown);
    }
    if (!up_ && !ended_) up(listener);
    return {};
  }

  template <class Listener>
  void up(Listener& listener) {
    up_ = true;
    ++connection_;
    backoff_.connected();
    if constexpr (requires { listener.on_up(*channel_); }) listener.on_up(*channel_);
  }

  /// Returns how many times it has told of it.
  template <class Listener>
  std::size_t down(std::error_code why, Listener& listener) {
    const bool was_up = up_;
    leave();
    if (!ended_) failed(why);
    if constexpr (requires { listener.on_down(why); }) {
      if (was_up && ended_ != Errc::closed) listener.on_down(why);
    }
    return was_up ? 1 : 0;
  }

  void leave() noexcept {
    up_ = false;
    if constexpr (redelivers) kept_.leave();
    if (!channel_) return;
    if (const auto handle = channel_->native_handle()) set_.forget(*handle);
    channel_.reset();
  }

  /// What another attempt would not change.
  static bool is_final(const std::error_code& why) {
    for (const Errc one :
         {Errc::bad_token, Errc::version_mismatch, Errc::schema_mismatch,
          Errc::send_policy_mismatch, Errc::queue_size_mismatch, Errc::invalid_name,
          Errc::other_transport, Errc::unsupported, Errc::malformed, Errc::bad_region,
          Errc::message_too_large, Errc::too_many_rights}) {
      if (why == one) return true;
    }
    return false;
  }

  detail::KeptNameOf<typename ChannelT::transport> name_;
  Token token_;
  os::WaitSet set_;
  detail::ResetOnMove<ChannelT> channel_;
  [[no_unique_address]] Kept kept_;
  detail::Backoff backoff_{std::chrono::milliseconds{options.shortest_pause_ms},
                           std::chrono::milliseconds{options.longest_pause_ms}};
  detail::Deadline next_attempt_ = detail::Deadline::now();
  detail::Deadline wake_by_ = detail::Deadline::never();
  std::uint64_t connection_ = 0;
  detail::ClosedOnMove ended_;
  std::error_code last_error_;
  detail::StopRequest stop_;
  bool up_ = false;  // on_up was called
  bool in_listener_ = false;
  [[no_unique_address]] observer_type observer_;
};

}  // namespace strait
