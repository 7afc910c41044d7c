#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/answering.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/shared.hpp"
#include "strait/caller.hpp"
#include "strait/calls/frame.hpp"
#include "strait/calls/table.hpp"
#include "strait/channel/proxy_core.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/peer.hpp"
#include "strait/proxy_options.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"

namespace strait {

namespace detail {

template <class T>
inline constexpr bool is_proxy = false;
template <class ChannelT, ProxyOptions options>
inline constexpr bool is_proxy<ChannelProxy<ChannelT, options>> = true;

/// The proxy as long as it lives, and in the process in which it does.
template <class ChannelT, ProxyOptions options>
struct ReplyTarget<ChannelProxy<ChannelT, options>> {
  using Core = ProxyCore<ChannelT, options>;

  Weak<Core> core = {};
  os::OwnerProcess owner = {};

  Shared<Core> find() const { return owner.is_this() ? core.lock() : Shared<Core>(); }
};

template <class ProxyT, class Handlers>
class ProxyAnswering
    : public ChannelAnswering<ProxyT, typename ProxyT::channel_type::serializer::Messages,
                              Handlers> {
  using Base =
      ChannelAnswering<ProxyT, typename ProxyT::channel_type::serializer::Messages, Handlers>;

 public:
  explicit ProxyAnswering(Handlers handlers) : Base({}, std::move(handlers)) {}

  void attach(const Shared<typename ReplyTarget<ProxyT>::Core>& core) { this->target_.core = core; }
};

}  // namespace detail

/// As the other `answering`, for the listener that a `ChannelProxy` starts with:
///
///     using Proxy = strait::ChannelProxy<Link>;
///     Proxy::start(std::move(link), strait::answering<Proxy>([](const Add& add) { ... }));
///
/// A `Reply<Proxy>` may be used by any thread, one at a time, also after the proxy's end: then it
/// is `closed` or `peer_closed`.
template <class ProxyT, class Handlers>
  requires detail::is_proxy<ProxyT>
auto answering(Handlers handlers) {
  return detail::ProxyAnswering<ProxyT, Handlers>(std::move(handlers));
}

namespace detail {

/// The calls of a `ProxyCaller`, which all threads make and its listener's thread ends. A call that
/// has ended waits here until that thread runs its handler, without the lock.
template <class ChannelT, ProxyOptions options>
class ProxyCalls {
  using Core = ProxyCore<ChannelT, options>;
  using Messages = typename ChannelT::serializer::Messages;

 public:
  void attach(const Shared<Core>& core) { core_ = core; }

  template <class Reply, class Message, class OnReply>
  Result<CallId> call(const Message& request, Deadline deadline, OnReply on_reply) {
    auto ended = std::make_unique<EndedCall<Reply, OnReply>>(std::move(on_reply));
    const std::lock_guard locked(mutex_);
    const auto core = core_.lock();
    if (!core) return Errc::closed;
    auto id =
        table_.add(ReplyHandler::make<Messages>(Handler<Reply, OnReply>{*this, std::move(ended)}),
                   deadline, false);
    if (!id) return id;
    // Under the lock, so that the end of the channel is either before this or finds the call.
    const auto sent = core->send(OutgoingCall<Message>{request, {CallKind::call, *id}});
    if (!sent) {
      table_.remove(*id);
      return sent.error();
    }
    if (table_.next_deadline() == deadline) core->call_by(deadline);
    return id;
  }

  bool cancel(CallId id) {
    const std::lock_guard locked(mutex_);
    const bool cancelled = table_.give_up(id, std::make_error_code(std::errc::operation_canceled));
    if (const auto core = core_.lock(); core && cancelled) core->call_by(Deadline::now());
    return cancelled;
  }

  /// Destroys all handlers uncalled; there are no more calls.
  void drop() {
    CallTable calls;
    std::deque<std::unique_ptr<Ended>> ended;
    const std::lock_guard locked(mutex_);
    core_ = {};
    std::swap(calls, table_);
    ended.swap(ended_);
  }

  std::size_t under_way() {
    const std::lock_guard locked(mutex_);
    return table_.waiting();
  }

  // For the listener's thread:

  Result<void> reply(const IncomingCall& in, Rights rights) {
    Result<void> taken;
    {
      const std::lock_guard locked(mutex_);
      taken = table_.reply(in, std::move(rights));
    }
    run_handlers();
    return taken;
  }
  void refuse(CallId id) {
    const std::lock_guard locked(mutex_);
    if (const auto core = core_.lock()) {
      static_cast<void>(core->send(OutgoingCall<Nothing>{Nothing(), {CallKind::unanswered, id}}));
    }
  }
  void expire() {
    {
      const std::lock_guard locked(mutex_);
      while (table_.expire_one()) {
      }
      if (const auto core = core_.lock()) core->call_by(table_.next_deadline());
    }
    run_handlers();
  }
  void end_all(std::error_code why) {
    {
      const std::lock_guard locked(mutex_);
      table_.end_all(why);
    }
    run_handlers();
  }

 private:
  struct Ended {
    virtual ~Ended() = default;
    virtual void run() = 0;
  };
  template <class Reply, class OnReply>
  struct EndedCall final : Ended {
    explicit EndedCall(OnReply handler) : on_reply(std::move(handler)) {}
    void run() override { on_reply(std::move(result)); }
    OnReply on_reply;
    Result<Reply> result = Errc::closed;
  };
  /// What the table calls, under the lock.
  template <class Reply, class OnReply>
  struct Handler {
    ProxyCalls& calls;
    std::unique_ptr<EndedCall<Reply, OnReply>> ended;

    void operator()(const Reply& reply) { end(reply); }
    void operator()(std::error_code why) {
      if (why) end(why);
    }
    void end(Result<Reply> result) {
      ended->result = std::move(result);
      calls.ended_.push_back(std::move(ended));
    }
  };

  /// One by one: what follows one that throws is for the next time.
  void run_handlers() {
    for (;;) {
      std::unique_ptr<Ended> next;
      {
        const std::lock_guard locked(mutex_);
        if (ended_.empty()) return;
        next = std::move(ended_.front());
        ended_.pop_front();
      }
      next->run();
    }
  }

  Weak<Core> core_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Ended>> ended_;
  CallTable table_;
};

/// The listener of a `ProxyCaller`'s proxy.
template <class ChannelT, ProxyOptions options, class Listener>
struct ProxyReplies {
  static constexpr bool takes_calls = true;
  static constexpr bool takes_calls_alone = std::is_same_v<Listener, NoListener>;

  std::shared_ptr<ProxyCalls<ChannelT, options>> calls;
  Listener listener;

  void attach(const Shared<ProxyCore<ChannelT, options>>& core) {
    calls->attach(core);
    if constexpr (requires { listener.attach(core); }) listener.attach(core);
  }

  void operator()(IncomingCall in, Rights rights = {}) {
    if (in.trailer.kind != CallKind::call) {
      in.result = calls->reply(in, std::move(rights));
    } else if constexpr (TakesCalls<Listener>) {
      listener(in, std::move(rights));
    } else {
      calls->refuse(in.trailer.id);
      in.result = {};
    }
  }
  template <class... Arguments>
    requires std::invocable<Listener&, Arguments...>
  void operator()(Arguments&&... arguments) { listener(std::forward<Arguments>(arguments)...); }

  void on_connected(const Peer& peer) {
    if constexpr (requires { listener.on_connected(peer); }) listener.on_connected(peer);
  }
  void on_due() { calls->expire(); }
  void on_closed(std::error_code why) {
    calls->end_all(why);
    if constexpr (requires { listener.on_closed(why); }) listener.on_closed(why);
  }
};

}  // namespace detail

/// A `Caller` that any thread may use: its channel lives on a thread of its own, in a
/// `ChannelProxy`, and replies are heard where the executor says, as the listener is.
///
///     auto caller = strait::ProxyCaller<Link>::start(std::move(link)).value();
///     caller.call<Sum>(Add{1, 2}, 200ms, [](strait::Result<Sum> sum) { ... }).value();
///
/// A call that was made ends exactly once, as a `Caller`'s. Its handler is called with the others
/// and the listener one at a time; it may call, cancel and send, and may run before `call` has
/// returned on another thread. A caller that is destroyed destroys its handlers uncalled: `close`
/// it before where something waits for them.
///
/// A reply is copied: messages with views are for a `Caller`, and so are streams. A call costs an
/// allocation.
///
/// Threads: as `ChannelProxy`.
template <class ChannelT, ProxyOptions options = ProxyOptions{}>
class ProxyCaller {
  static_assert(detail::makes_calls<typename ChannelT::serializer>,
                "strait: a ProxyCaller's channel has a Calls serializer, such as "
                "Calls<TrivialSerializer<Add, Sum>>.");

 public:
  using Proxy = ChannelProxy<ChannelT, options>;

  ProxyCaller(ProxyCaller&&) noexcept = default;
  ProxyCaller& operator=(ProxyCaller&& other) noexcept {
    ProxyCaller old(std::move(*this));
    calls_ = std::move(other.calls_);
    proxy_ = std::move(other.proxy_);
    return *this;
  }
  /// As `ChannelProxy`'s.
  ~ProxyCaller() {
    if (calls_ && owner_.is_this()) calls_->drop();
  }

  /// As `ChannelProxy::start`. The listener takes what the peer sends besides replies; with
  /// `answering<Proxy>` also its calls. Without one they are `unanswered`, and a message that is no
  /// call ends the channel. Errors: as there.
  template <class Listener = detail::NoListener, class Executor = OnOwnThread>
  [[nodiscard]] static Result<ProxyCaller> start(ChannelT channel, Listener listener = {},
                                                 Executor executor = {}) {
    auto calls = std::make_shared<Calls>();
    detail::ProxyReplies<ChannelT, options, Listener> replies{calls, std::move(listener)};
    auto proxy = Proxy::start(std::move(channel), std::move(replies), std::move(executor));
    if (!proxy) return proxy.error();
    return ProxyCaller(std::move(calls), std::move(*proxy));
  }

  /// Calls the peer. `on_reply` takes a `Result<Reply>`.
  ///
  /// Errors: those of `Channel::send`; `closed` from `close` on; `queue_full` with a million calls
  /// under way. There is no call then, and `on_reply` is not called. Blocking: as
  /// `ChannelProxy::send`.
  template <class Reply, class Message, class Rep, class Period, class OnReply>
  Result<CallId> call(const Message& request, std::chrono::duration<Rep, Period> timeout,
                      OnReply on_reply) {
    static_assert(std::invocable<OnReply&, Result<Reply>>,
                  "strait: what is done with a call's reply takes a Result of it.");
    return calls_->template call<Reply>(request, detail::Deadline::after(timeout),
                                        std::move(on_reply));
  }

  /// Ends a call with `operation_canceled`, which its handler hears as it would its reply; the peer
  /// is not told. False if it has ended before.
  bool cancel(CallId id) { return calls_->cancel(id); }

  /// How many calls are under way.
  std::size_t calls_under_way() const { return calls_->under_way(); }

  /// As `ChannelProxy`'s, of what is no call.
  template <class Message>
  Result<void> send(const Message& message) {
    return proxy_.send(message);
  }
  template <class Message>
  Result<void> send(const Message& message, Rights&& rights) {
    return proxy_.send(message, std::move(rights));
  }
  template <class Rep, class Period>
  Result<void> flush(std::chrono::duration<Rep, Period> duration) {
    return proxy_.flush(duration);
  }
  /// As `ChannelProxy::close`; calls that are under way end with `closed`.
  void close() noexcept { proxy_.close(); }
  std::size_t queued_bytes() { return proxy_.queued_bytes(); }

 private:
  using Calls = detail::ProxyCalls<ChannelT, options>;

  ProxyCaller(std::shared_ptr<Calls> calls, Proxy proxy)
      : calls_(std::move(calls)), proxy_(std::move(proxy)) {}

  std::shared_ptr<Calls> calls_;
  Proxy proxy_;
  os::OwnerProcess owner_;
};

}  // namespace strait
