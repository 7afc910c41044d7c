#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel/channel_handshake.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/channel/link_waiter.hpp"
#include "strait/channel/listening.hpp"
#include "strait/channel/observing.hpp"
#include "strait/channel/outbox.hpp"
#include "strait/channel/peer_watch.hpp"
#include "strait/channel/status.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/channel_options.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/server.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/observer.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializer.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// What a `Channel` does: it goes from `listening` or `greeting` to `connected` and, by whatever
/// went wrong or `close`, to `ended`.
template <class TransportT, class SerializerT, ChannelOptions options, class ObserverT>
class ChannelCore {
 public:
  using State = Status::State;

  explicit ChannelCore(HandshakeServer<TransportT> server, ObserverT observer)
      : observer_(std::move(observer)) {
    handshake_.wait_for_client(std::move(server));
  }
  ChannelCore(const Peer& peer, TransportT link, State state, ObserverT observer)
      : peer_(peer), observer_(std::move(observer)) {
    status_.enter(state);
    link_.emplace(std::move(link));
    if (state == State::greeting) handshake_.wait_for_welcome();
    outbox_.warm_up();
    if (state == State::connected) observe_connected(observer_, peer_);
  }

  /// For before this is destroyed or replaced.
  void observe_destruction() {
    if constexpr (HearsEnd<ObserverT>) {
      if (status_.state() != State::ended) {
        observe_ended(observer_, make_error_code(Errc::closed), peer_);
      }
    }
  }

  State state() const { return status_.state(); }
  const Peer& peer() const { return peer_; }
  ObserverT& observer() { return observer_; }

  Result<Lease> allocate(std::size_t bytes) {
    if constexpr (requires { link_->allocate(bytes); }) {
      if (link_) {
        if (auto lease = link_->allocate(bytes)) return lease;
      }
    }
    return PrivateMemory::create(bytes);
  }

  template <std::size_t max_waiting, class Payload, class... List>
  Result<void> send(const Payload& payload, List&... rights) {
    using Size = decltype(payload.size());
    static_assert(static_size<Size> == SIZE_MAX || static_size<Size> <= options.max_message_bytes,
                  "strait: this type is larger than ChannelOptions::max_message_bytes.");
    if (payload.size() > options.max_message_bytes) [[unlikely]]
      return told(payload, Errc::message_too_large);
    if (status_.has(Status::in_serializer | Status::closing | Status::unconnected) ||
        !outbox_.empty() || !outbox_.admits(*link_, payload.size())) [[unlikely]]
      return told(payload, send_behind<max_waiting>(payload, rights...));
    const StatusScope now_writing(status_, is_plain_payload<Payload> ? 0 : Status::in_serializer);
    const SendNotice notice(payload);
    if (!notice.complete()) return told(payload, no_memory());
    const auto sent = outbox_.template send<max_waiting>(*link_, payload, rights...);
    if (!sent) [[unlikely]]
      return told(payload, note_failure(sent));
    if (!outbox_.empty()) [[unlikely]]
      wait_for_room();
    notice.sent(observer_);
    return {};
  }

  std::size_t queued_bytes() const { return outbox_.bytes(link_ ? &*link_ : nullptr); }
  bool has_unsent() const { return !outbox_.empty(); }

  /// As `Channel::into_right`.
  Result<Right> into_right() {
    if (ended_) return ended_;
    if (status_.has(Status::in_listener | Status::in_serializer)) return Errc::busy;
    if (status_.has(Status::unconnected)) return Errc::would_block;
    if (auto flushed = outbox_.flush(*link_); !flushed) return flushed.error();
    if (!outbox_.empty()) return Errc::would_block;
    auto right = link_->detach();
    if (right) {
      // A copy of the descriptor lives on, and would in the wait set, too.
      waiter_.drop_set();
      end(make_error_code(Errc::closed));
    }
    return right;
  }

  Result<void> flush(Deadline deadline) {
    auto flushed = flush_until(deadline);
    // Waiting has used up the wake-ups that the user's loop had asked for.
    if (waiter_ && !ended_) {
      if (auto updated = update_wait_set(); !updated) return updated;
    }
    return flushed;
  }

  template <class Listener>
  Result<std::size_t> poll(Listener& listener) {
    if (status_.has(Status::in_listener)) return Errc::busy;
    const StopTaken stop_taken(stop_);
    return handle(listener);
  }

  template <class Listener>
  Result<std::size_t> wait(Listener& listener, Deadline deadline, bool* stopped = nullptr) {
    if (status_.has(Status::in_listener)) return Errc::busy;
    const StopTaken stop_taken(stop_, stopped);
    return wait_until(listener, deadline);
  }

  template <class Listener>
  Result<void> run(Listener& listener) {
    if (ended_) return ended_;
    if (status_.has(Status::in_listener)) return Errc::busy;
    const StopTaken stop_taken(stop_);
    while (!stop_.raised()) {
      const auto handled = wait_until(listener, Deadline::never());
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
    }
    return {};
  }

  void stop() noexcept { stop_.raise(); }

  void close(std::error_code why) noexcept {
    if (status_.has(Status::in_listener)) {
      status_.set(Status::closing);
    } else {
      end(why);
      waiter_.renew();  // a loop that waits for this channel shall hear of it
    }
  }

  HandleResult native_handle() {
    if (!waiter_) {
      if (auto created = waiter_.create_set(); !created) return created.error();
      if (auto updated = update_wait_set(); !updated) {
        waiter_.drop_set();
        return updated.error();
      }
      status_.set(Status::watched);
    }
    return waiter_.native_handle();
  }

  void wake_by(Deadline deadline) { waiter_.wake_by(deadline, due()); }

  /// When to `poll` at the latest though there is nothing to read, because the time of a handshake
  /// is up.
  Deadline handshake_deadline() const {
    return status_.state() == State::ended ? Deadline::never() : handshake_.deadline();
  }

  /// Sends what there is room for and gives what to wait for until there is more, which messages do
  /// not make ready where room has a descriptor of its own; none when all is sent, or nothing more
  /// can be. It takes wake-ups in, so `flush` before the next wait on `native_handle`.
  Interest await_room() {
    if (status_.has(Status::unconnected) || outbox_.empty()) return {};
    link_->take_doorbells();
    const Armed armed = link_->arm(outbox_.queue());
    if (!outbox_.flush(*link_) || outbox_.empty()) return {};
    return armed.out ? armed.out : armed.in;
  }

 private:
  using SendNotice = typename SendNoticeFor<SerializerT, ObserverT>::Type;

  /// Has the observer hear of a message that was not sent.
  template <class Payload>
  [[gnu::always_inline]] inline Result<void> told(const Payload& payload, Result<void> sent) {
    return observe_failed_send<SerializerT>(observer_, payload.tag(), payload.size(), sent);
  }

  /// Sends behind what waits already, or before there is a peer.
  template <std::size_t max_waiting, class Payload, class... List>
  [[gnu::noinline]] Result<void> send_behind(const Payload& payload, List&... rights) {
    if (status_.has(Status::closing)) return Errc::closed;
    if (status_.has(Status::in_serializer)) return Errc::busy;
    if (ended_) return ended_;
    const StatusScope now_writing(status_, Status::in_serializer);
    TransportT* const link = status_.has(Status::unconnected) ? nullptr : &*link_;
    const SendNotice notice(payload);
    if (!notice.complete()) return no_memory();
    const auto sent = outbox_.template send_behind<max_waiting>(link, payload, rights...);
    if (!sent) return note_failure(sent);
    outbox_.tell_replaced(observer_);
    if (outbox_.has_begun_to_wait()) wait_for_room();
    notice.sent(observer_);
    return {};
  }

  /// One that nothing can be sent after is the channel's end, when all that came was received.
  [[gnu::noinline]] Result<void> note_failure(Result<void> sent) {
    if (sent.failed_with(Errc::malformed) || sent.failed_with(Errc::peer_closed)) {
      status_.fail(Status::unsendable, sent.error());
    }
    return sent;
  }

  /// The user's loop has to hear of room now, too.
  [[gnu::noinline]] void wait_for_room() {
    if (waiter_ && !status_.has(Status::in_listener)) static_cast<void>(update_wait_set());
  }

  Result<void> flush_until(Deadline deadline) {
    for (;;) {
      if (ended_) return ended_;
      if (status_.has(Status::unconnected)) {
        if (outbox_.empty()) return {};
        shake_hands();
        if (!status_.has(Status::unconnected)) continue;
        if (deadline.passed()) return Errc::timed_out;
        if (auto slept = sleep(deadline); !slept) return slept;
        continue;
      }
      if (auto sent = outbox_.flush(*link_); !sent) return sent;
      if (outbox_.empty() && outbox_.has_room(*link_)) return {};
      if (deadline.passed()) return Errc::timed_out;
      if (auto slept = sleep_until_room(deadline); !slept) return slept;
    }
  }

  /// Takes the messages that the link receives.
  template <class Listener>
  struct Sink {
    static constexpr std::size_t usual_bytes = detail::usual_bytes<SerializerT>;
    ChannelCore& core;
    Listener& listener;
    std::size_t handled = 0;

    /// False when no more are to be received now.
    [[gnu::always_inline]] inline bool operator()(const Incoming& message) {
      observe_received<SerializerT>(core.observer_, message);
      Result<void> delivered;
      if (message.rights != nullptr) [[unlikely]]
        delivered = admit(*message.rights, core.peer_.credentials, options.max_rights);
      constexpr bool carries_rights = CarriesRights<TransportT>;
      if (delivered) delivered = deliver<SerializerT, carries_rights>(listener, message);
      if (!delivered) [[unlikely]]
        return core.reject(message, delivered);
      ++handled;
      return !core.stop_.raised() && !core.status_.has(Status::closing);
    }
  };

  /// Handles what there is to do.
  template <class Listener>
  Result<std::size_t> handle(Listener& listener) {
    std::size_t handled = 0;
    {
      const bool simple = status_.is(0) && outbox_.empty() && !stop_.raised();
      Listening listening(status_, waiter_);
      if (simple || prepare(listener, handled)) [[likely]] {
        Sink<Listener> sink{*this, listener};
        const auto received =
            link_->receive(sink, ReceiveLimits{options.max_message_bytes, options.max_rights});
        handled += sink.handled;
        if (handled != 0 && status_.is(Status::in_listener) && received.failed_with(Errc::empty))
            [[likely]] {
          listening.threw = false;
          return handled;
        }
        conclude(received);
      }
      listening.threw = false;
    }
    return finish(handled);
  }

  /// Does what comes before receiving, but in the simplest case. False when there is to be none.
  template <class Listener>
  [[gnu::noinline]] bool prepare(Listener& listener, std::size_t& handled) {
    if (waiter_ && link_ && link_->disarm()) status_.set(Status::rung);
    if (status_.has(Status::unexpected)) return false;
    status_.clear(Status::unfinished);
    if (status_.has(Status::unconnected)) shake_hands();
    if (status_.has(Status::unconnected)) return false;
    if (status_.has(Status::unannounced)) handled += announce(listener);
    if (stop_.raised()) status_.set(Status::unfinished);
    if (!outbox_.empty()) {
      // A peer that takes no more may have left messages: the end comes when none is left.
      if (auto sent = outbox_.flush(*link_); !sent) status_.fail(Status::unsendable, sent.error());
    }
    return !status_.has(Status::closing | Status::unfinished);
  }

  [[gnu::noinline]] void conclude(Result<void> received) {
    if (received) status_.set(Status::unfinished);
    if (status_.has(Status::broken)) {
      end(status_.failure());
    } else if (!received.failed_with(Errc::empty)) {
      if (!received) end(received.error());
    } else if (status_.has(Status::unsendable)) {
      end(status_.failure());
    }
  }

  /// Tells the listener of the peer, once.
  template <class Listener>
  std::size_t announce(Listener& listener) {
    status_.clear(Status::unannounced);
    constexpr bool is_told = requires { listener.on_connected(peer_); };
    if constexpr (is_told) listener.on_connected(peer_);
    return is_told ? 1 : 0;
  }

  /// For a message that was not delivered. One that the listener has no callable for is told when
  /// what came before it has been counted; any other is the end. False: no other is received now.
  [[gnu::noinline]] bool reject(const Incoming& message, Result<void> why) {
    if (!why.failed_with(Errc::unexpected_message)) {
      status_.fail(Status::broken, why.error());
    } else {
      status_.set(Status::unexpected);
      observe_unexpected(observer_, message_name<SerializerT>(message.tag), message.tag,
                         message.bytes.size());
    }
    return false;
  }

  /// After all that was handled: looks whether the peer is still there, tells what was put off,
  /// and has the user's loop see what there is to do.
  [[gnu::noinline]] Result<std::size_t> finish(std::size_t handled) {
    if (status_.has(Status::closing)) end(make_error_code(Errc::closed));
    Result<std::size_t> result = handled;
    if (handled == 0) {
      if (status_.has(Status::unexpected)) {
        status_.clear(Status::unexpected);
        result = Errc::unexpected_message;
      } else if (ended_) {
        result = ended_;
      }
    }
    if (link_) {
      if (handled == 0 && result) {
        // Only a system call shows that a peer was killed. A channel that waits makes one before it
        // sleeps; one that polls all the time makes one now and then.
        if (waiter_ || peer_watch_.is_due()) link_->take_doorbells();
        if (!status_.has(Status::unconnected) && peer_watch_.has_ended(*link_, peer_)) {
          end(make_error_code(Errc::peer_closed));
        }
      } else if (status_.has(Status::rung) || (waiter_ && status_.has(Status::unfinished))) {
        // An edge-triggered loop has to hear now of an end that was among what woke it.
        link_->take_doorbells();
      }
    }
    status_.clear(Status::rung);
    if (waiter_) {
      if (auto updated = update_wait_set(); !updated) return updated.error();
    }
    return result;
  }

  /// Handles what there is to do, and waits for it while there is nothing.
  template <class Listener>
  Result<std::size_t> wait_until(Listener& listener, Deadline deadline) {
    for (;;) {
      // What comes soon is looked for once, by the cheapest look.
      if (!status_.has(~Status::watched) && outbox_.empty()) waiter_.spin(*link_, deadline);
      auto handled = handle(listener);
      if (!handled || *handled != 0 || stop_.raised() || deadline.passed()) return handled;
      // Without a descriptor for the wake-up, a request to stop is looked for now and then.
      constexpr std::chrono::milliseconds look_again{100};
      const auto until =
          stop_.prepare() ? deadline : Deadline::earlier(deadline, Deadline::after(look_again));
      if (stop_.raised()) return handled;
      if (auto slept = sleep(until); !slept) return slept.error();
    }
  }

  /// Goes on with a handshake that is not done, if any is.
  [[gnu::noinline]] void shake_hands() {
    if (status_.state() == State::ended) return;
    waiter_.unwatch();
    const auto done = handshake_.advance(link_, peer_, observer_);
    if (done) {
      connected();
    } else if (!done.failed_with(Errc::empty)) {
      end(done.error());
    }
  }

  void connected() {
    handshake_.stop();
    status_.enter(State::connected);
    if constexpr (!options.passable) stay(*link_);
    outbox_.warm_up();
    observe_connected(observer_, peer_);
    if (!outbox_.empty()) static_cast<void>(outbox_.flush(*link_));
  }

  [[gnu::noinline]] void end(std::error_code why) noexcept {
    if (ended_) return;
    ended_ = why;
    status_.enter(State::ended);
    handshake_.stop();
    link_.reset();
    outbox_.clear();
    peer_watch_.stop();
    waiter_.forget_watched();
    observe_ended(observer_, why, peer_);
  }

  /// What waits for room: nothing before the handshake is done.
  const FrameQueue& sendable() const {
    static const FrameQueue nothing;
    return status_.has(Status::unconnected) ? nothing : outbox_.queue();
  }

  /// When there is something to do even if nothing comes.
  Deadline due() const {
    if (status_.has(Status::unconnected)) return handshake_deadline();
    if constexpr (requires { link_->retries(); }) {
      if (!outbox_.empty() && link_ && link_->retries()) {
        constexpr std::chrono::milliseconds pause{10};
        return Deadline::earlier(peer_watch_.deadline(), Deadline::after(pause));
      }
    }
    return peer_watch_.deadline();
  }

  /// Waits for something to do, at most until the deadline.
  Result<void> sleep(Deadline deadline) {
    if (ended_) return ended_;
    deadline = Deadline::earlier(deadline, due());
    if (status_.state() == State::listening) {
      return os::wait_for({handshake_.interest()}, deadline, stop_.wakeup());
    }
    return waiter_.await_message(*link_, sendable(), deadline, stop_.wakeup());
  }

  Result<void> sleep_until_room(Deadline deadline) {
    deadline = Deadline::earlier(deadline, due());
    if (!outbox_.empty()) {
      return waiter_.await_room(*link_, outbox_.queue(), deadline, stop_.wakeup(),
                                [this] { return outbox_.flush_some(*link_); });
    }
    // No wake-up tells that the peer has taken what is out of line.
    constexpr std::chrono::milliseconds pause{1};
    auto slept = os::wait_for({}, Deadline::earlier(deadline, Deadline::after(pause)));
    link_->take_doorbells();
    return slept;
  }

  /// Makes the user's loop see what there is to do.
  Result<void> update_wait_set() {
    Armed armed;
    if (status_.state() == State::listening) {
      armed.in = handshake_.interest();
    } else if (link_) {
      armed = link_->arm(sendable());
    }
    return waiter_.update(
        armed, armed.ready || ended_ || status_.has(Status::unexpected | Status::unfinished),
        due());
  }

  ResetOnMove<TransportT> link_;
  Outbox<TransportT, options.max_queued_bytes, options.keep_last> outbox_;
  Status status_;
  ClosedOnMove ended_;
  StopRequest stop_;
  PeerWatch peer_watch_;
  LinkWaiter<TransportT> waiter_;
  Peer peer_;
  ChannelHandshake<TransportT, SerializerT, options> handshake_;
  [[no_unique_address]] ObserverT observer_;
};

}  // namespace strait::detail
