#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/fair_share.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/base/scoped_flag.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/channel/frame_sink.hpp"
#include "strait/channel/link_waiter.hpp"
#include "strait/channel/message_name.hpp"
#include "strait/channel/outbox.hpp"
#include "strait/channel/peer_watch.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/channel_options.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/client.hpp"
#include "strait/handshake/server.hpp"
#include "strait/handshake/withdraw.hpp"
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
  enum class State : std::uint8_t { listening, greeting, connected, ended };

  explicit ChannelCore(HandshakeServer<TransportT> server, ObserverT observer)
      : observer_(std::move(observer)) {
    server_.emplace(std::move(server));
  }
  ChannelCore(const Peer& peer, TransportT link, State state, ObserverT observer)
      : state_(state), peer_(peer), observer_(std::move(observer)) {
    link_.emplace(std::move(link));
    if (state == State::greeting) handshake_deadline_ = Deadline::after(handshake_timeout);
    outbox_.warm_up();
  }

  State state() const { return state_; }
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

  template <class Payload, class... List>
  Result<void> send(const Payload& payload, List&... rights) {
    using Size = decltype(payload.size());
    static_assert(static_size<Size> == SIZE_MAX || static_size<Size> <= options.max_message_bytes,
                  "strait: this type is larger than ChannelOptions::max_message_bytes.");
    if (payload.size() > options.max_message_bytes) [[unlikely]]
      return Errc::message_too_large;
    if (writing_ || closing_) [[unlikely]]
      return closing_ ? Errc::closed : Errc::busy;
    const ScopedFlag writing(writing_);
    if (state_ != State::connected || !outbox_.empty()) [[unlikely]]
      return send_behind(payload, rights...);
    if (!outbox_.admits(*link_, payload.size())) return Errc::queue_full;
    if (const auto sent = outbox_.send(*link_, payload, rights...); !sent) [[unlikely]]
      return note_failure(sent);
    if (!outbox_.empty()) [[unlikely]]
      wait_for_room();
    observe_send(observer_, payload.size());
    return {};
  }

  std::size_t queued_bytes() const { return outbox_.bytes(link_ ? &*link_ : nullptr); }

  /// As `Channel::into_right`.
  Result<Right> into_right() {
    if (ended_) return ended_;
    if (listening_ || writing_) return Errc::busy;
    if (state_ != State::connected) return Errc::would_block;
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
    if (listening_) return Errc::busy;
    const StopTaken stop_taken(stop_);
    return handle(listener);
  }

  template <class Listener>
  Result<std::size_t> wait(Listener& listener, Deadline deadline) {
    if (listening_) return Errc::busy;
    const StopTaken stop_taken(stop_);
    auto handled = handle(listener);
    if (!handled || *handled != 0 || stop_.raised() || deadline.is_now()) return handled;
    return wait_until(listener, deadline);
  }

  template <class Listener>
  Result<void> run(Listener& listener) {
    if (ended_) return ended_;
    if (listening_) return Errc::busy;
    const StopTaken stop_taken(stop_);
    while (!stop_.raised()) {
      auto handled = handle(listener);
      if (handled && *handled == 0 && !stop_.raised()) {
        handled = wait_until(listener, Deadline::never());
      }
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
    }
    return {};
  }

  void stop() noexcept { stop_.raise(); }

  void close() noexcept {
    if (listening_) {
      closing_ = true;
    } else {
      end(make_error_code(Errc::closed));
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
    }
    return waiter_.native_handle();
  }

  /// When to `poll` at the latest though there is nothing to read, because the time of a handshake
  /// is up.
  Deadline handshake_deadline() const {
    if (state_ == State::listening) return server_->deadline();
    return state_ == State::greeting ? handshake_deadline_ : Deadline::never();
  }

  /// Sends what there is room for and gives what to wait for until there is more, which messages do
  /// not make ready where room has a descriptor of its own; none when all is sent, or nothing more
  /// can be. It takes wake-ups in, so `flush` before the next wait on `native_handle`.
  Interest await_room() {
    if (state_ != State::connected || outbox_.empty()) return {};
    link_->take_doorbells();
    const Armed armed = link_->arm(outbox_.queue());
    if (!outbox_.flush(*link_) || outbox_.empty()) return {};
    return armed.out ? armed.out : armed.in;
  }

 private:
  /// Sends behind what waits already, or before there is a peer.
  template <class Payload, class... List>
  [[gnu::noinline]] Result<void> send_behind(const Payload& payload, List&... rights) {
    if (ended_) return ended_;
    TransportT* const link = state_ == State::connected ? &*link_ : nullptr;
    if (link != nullptr && !outbox_.admits(*link, payload.size())) return Errc::queue_full;
    if (const auto sent = outbox_.send_behind(link, payload, rights...); !sent) {
      return note_failure(sent);
    }
    observe_send(observer_, payload.size());
    return {};
  }

  /// One that nothing can be sent after is the channel's end, when all that came was received.
  [[gnu::noinline]] Result<void> note_failure(const Result<void>& sent) {
    if (sent.failed_with(Errc::malformed) || sent.failed_with(Errc::peer_closed)) {
      unsendable_ = sent.error();
    }
    return sent;
  }

  /// The user's loop has to hear of room now, too.
  [[gnu::noinline]] void wait_for_room() {
    if (waiter_ && !listening_) static_cast<void>(update_wait_set());
  }

  static constexpr std::chrono::milliseconds handshake_timeout{options.handshake_timeout_ms};

  Result<void> flush_until(Deadline deadline) {
    for (;;) {
      if (ended_) return ended_;
      if (state_ != State::connected) {
        if (outbox_.empty()) return {};
        shake_hands();
        if (state_ == State::connected) continue;
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

  /// Handles what there is to do.
  template <class Listener>
  Result<std::size_t> handle(Listener& listener) {
    const bool rung = waiter_ && link_ && link_->disarm();
    typename LinkWaiter<TransportT>::RenewOnThrow renew{waiter_};
    std::size_t handled = 0;
    if (!deferred_) [[likely]] {
      const ScopedFlag listening(listening_);
      unfinished_ = false;
      if (state_ != State::connected) [[unlikely]]
        shake_hands();
      if (state_ == State::connected) {
        if (!announced_) handled += announce(listener);
        unfinished_ = stop_.raised();
        if (!outbox_.empty()) flush_before_receiving();
        if (!closing_ && !unfinished_) [[likely]] {
          Result<void> broken;
          const auto sink = [&](const Incoming& message) __attribute__((always_inline)) {
            observe_receive(observer_, message.bytes.size());
            const Result<void> read = deliver(listener, message);
            read ? static_cast<void>(++handled) : reject(message, read, broken);
            return read && !stop_.raised() && !closing_;
          };
          const auto received =
              link_->receive(sink, ReceiveLimits{options.max_message_bytes, options.max_rights});
          unfinished_ = received.has_value();
          if (!broken) {
            end(broken.error());
          } else if (!received.failed_with(Errc::empty)) {
            if (!received) end(received.error());
          } else if (unsendable_) [[unlikely]] {
            end(unsendable_);
          }
        }
      }
      if (closing_) end(make_error_code(Errc::closed));
    }
    renew.returned = true;
    return handled != 0 && !waiter_ ? handled : finish(handled, rung);
  }

  /// Tells the listener of the peer, once.
  template <class Listener>
  std::size_t announce(Listener& listener) {
    announced_ = true;
    if constexpr (requires { listener.on_connected(peer_); }) {
      listener.on_connected(peer_);
      return 1;
    } else {
      return 0;
    }
  }

  /// A peer that takes no more may have left messages: that is the end only when none is left.
  [[gnu::noinline]] void flush_before_receiving() {
    if (auto flushed = outbox_.flush(*link_); !flushed) unsendable_ = flushed.error();
  }

  template <class Listener>
  Result<void> deliver(Listener& listener, const Incoming& message) {
    if (message.rights != nullptr) [[unlikely]] {
      if (message.rights->size() > options.max_rights) return Errc::too_many_rights;
      message.rights->for_each([&](Right& right) { right.sender = peer_.credentials; });
    }
    if constexpr (std::derived_from<Listener, FrameSink>) {
      return listener.take(message);
    } else {
      return detail::deliver<SerializerT, CarriesRights<TransportT>>(listener, message);
    }
  }

  /// For a message that was not delivered. One that the listener has no callable for is told when
  /// what came before it has been counted; any other is the end.
  [[gnu::noinline]] void reject(const Incoming& message, const Result<void>& why,
                                Result<void>& broken) {
    if (!why.failed_with(Errc::unexpected_message)) {
      broken = why;
      return;
    }
    deferred_ = why.error();
    observe_unexpected(observer_, MessageName<SerializerT>::of(message.tag), message.tag,
                       message.bytes.size());
  }

  /// After all that was handled: looks whether the peer is still there, tells what was put off,
  /// and has the user's loop see what there is to do.
  [[gnu::noinline]] Result<std::size_t> finish(std::size_t handled, bool rung) {
    Result<std::size_t> result = handled;
    if (handled == 0) {
      if (deferred_) {
        result = std::exchange(deferred_, std::error_code());
      } else if (ended_) {
        result = ended_;
      }
    }
    if (link_) {
      if (handled == 0 && result) {
        // Only a system call shows that a peer was killed. A channel that waits makes one before it
        // sleeps; one that polls all the time makes one now and then.
        if (waiter_ || peer_watch_.is_due()) link_->take_doorbells();
        if (state_ == State::connected && peer_watch_.has_ended(*link_, peer_)) {
          end(make_error_code(Errc::peer_closed));
        }
      } else if (rung || (waiter_ && unfinished_)) {
        // An edge-triggered loop has to hear now of an end that was among what woke it.
        link_->take_doorbells();
      }
    }
    if (waiter_) {
      if (auto updated = update_wait_set(); !updated) return updated.error();
    }
    return result;
  }

  /// For when there was nothing to handle.
  template <class Listener>
  Result<std::size_t> wait_until(Listener& listener, Deadline deadline) {
    // Without a descriptor for the wake-up, a request to stop is looked for now and then.
    constexpr std::chrono::milliseconds look_again{100};
    const bool woken = stop_.prepare();
    while (!stop_.raised()) {
      const auto until =
          woken ? deadline : Deadline::earlier(deadline, Deadline::after(look_again));
      if (auto slept = sleep(until); !slept) return slept.error();
      auto handled = handle(listener);
      if (!handled || *handled != 0 || deadline.passed()) return handled;
    }
    return std::size_t{0};
  }

  /// Goes on with a handshake that is not done, if any is.
  [[gnu::noinline]] void shake_hands() {
    if (state_ == State::ended) return;
    waiter_.unwatch();
    state_ == State::listening ? await_hello() : await_welcome();
  }

  void await_hello() {
    for (int i = 0; i != fair_share; ++i) {
      auto client = server_->accept(observer_);
      if (!client) {
        if (client.error() != Errc::empty) end(client.error());
        return;
      }
      if (*client) {
        link_.emplace(std::move((*client)->link));
        peer_.credentials = (*client)->credentials;
        withdraw(server_);
        return connected();
      }
    }
  }

  void await_welcome() {
    const auto welcome = detail::read_welcome(*link_, peer_.credentials, options.peers);
    if (welcome) {
      connected();
    } else if (welcome.error() != Errc::empty) {
      end(welcome.error() == Errc::peer_closed ? make_error_code(Errc::refused) : welcome.error());
    } else if (handshake_deadline_.passed()) {
      end(make_error_code(Errc::handshake_timeout));
    }
  }

  void connected() {
    state_ = State::connected;
    outbox_.warm_up();
    if (!outbox_.empty()) static_cast<void>(outbox_.flush(*link_));
  }

  [[gnu::noinline]] void end(std::error_code why) noexcept {
    if (ended_) return;
    ended_ = why;
    state_ = State::ended;
    withdraw(server_);
    link_.reset();
    outbox_.clear();
    peer_watch_.stop();
    waiter_.forget_watched();
  }

  /// What waits for room: nothing before the handshake is done.
  const FrameQueue& sendable() const {
    static const FrameQueue nothing;
    return state_ == State::connected ? outbox_.queue() : nothing;
  }

  /// When there is something to do even if nothing comes.
  Deadline due() const {
    if (state_ == State::listening) return server_->deadline();
    if (state_ == State::greeting) return handshake_deadline_;
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
    if (state_ == State::listening) {
      return posix::wait_for({server_->interest()}, deadline, stop_.wakeup());
    }
    return waiter_.await_message(*link_, sendable(), deadline, stop_.wakeup());
  }

  Result<void> sleep_until_room(Deadline deadline) {
    deadline = Deadline::earlier(deadline, due());
    if (!outbox_.empty()) {
      return waiter_.await_room(*link_, outbox_.queue(), deadline, stop_.wakeup(), [this] {
        const std::size_t before = outbox_.queue().bytes();
        return !outbox_.flush(*link_) || outbox_.queue().bytes() != before;
      });
    }
    // No wake-up tells that the peer has taken what is out of line.
    constexpr std::chrono::milliseconds pause{1};
    auto slept = posix::wait_for({}, Deadline::earlier(deadline, Deadline::after(pause)));
    link_->take_doorbells();
    return slept;
  }

  /// Makes the user's loop see what there is to do.
  Result<void> update_wait_set() {
    Armed armed;
    if (state_ == State::listening) {
      armed.in = server_->interest();
    } else if (link_) {
      armed = link_->arm(sendable());
    }
    return waiter_.update(armed, armed.ready || ended_ || deferred_ || unfinished_, due());
  }

  ResetOnMove<TransportT> link_;
  Outbox<TransportT, options.max_queued_bytes> outbox_;
  ClosedOnMove ended_;
  std::error_code unsendable_;
  std::error_code deferred_;
  ValueOnMove<State, State::ended> state_ = State::listening;
  bool writing_ = false;
  bool listening_ = false;
  /// More may be there than the last call has handled.
  bool unfinished_ = false;
  bool closing_ = false;
  bool announced_ = false;
  StopRequest stop_;
  PeerWatch peer_watch_;
  LinkWaiter<TransportT> waiter_;
  Peer peer_;
  ResetOnMove<HandshakeServer<TransportT>> server_;
  Deadline handshake_deadline_ = Deadline::never();
  [[no_unique_address]] ObserverT observer_;
};

}  // namespace strait::detail
