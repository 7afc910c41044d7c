#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/channel/frame_sink.hpp"
#include "strait/channel/message_name.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/channel_options.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/handshake/withdraw.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/observer.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/process.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializer.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// One end of a conversation between two processes: typed messages, whole and in order, both ways.
///
/// A listener is anything that can be called with the messages: a lambda, an `overloaded` set of
/// them, an object with several `operator()`. If it has `on_connected(const Peer&)`, that is called
/// once, before the first message.
///
/// Errors: what went wrong with the peer ends the channel for good, after all that had arrived
/// whole was delivered; from then on every call returns that same error.
/// Threads: one at a time, like a socket. Do not move or destroy a channel inside its own listener.
template <class TransportT, class SerializerT, ChannelOptions options, class ObserverT>
class Channel {
  static_assert(Transport<TransportT>,
                "strait: the first argument of Channel is a transport, such as MachTransport<>.");
  static_assert(Serializer<SerializerT>,
                "strait: the second argument of Channel is a serializer, such as RawSerializer.");
  static_assert(options.max_rights <= detail::max_rights, "strait: max_rights is 127 at the most.");
  static_assert(options.max_message_bytes <= (std::size_t{1} << 30),
                "strait: max_message_bytes is 1 GiB at the most.");

 public:
  using transport = TransportT;
  using serializer = SerializerT;
  using observer_type = ObserverT;
  static constexpr ChannelOptions channel_options = options;

  /// Claims a name and waits, in later calls, for the one client that has the token. What is sent
  /// before that is queued. The name is free again once the client is there.
  ///
  /// Errors: `invalid_name`, `name_taken`, `permission_denied`, the system's. Blocking: never.
  [[nodiscard]] static Result<Channel> listen(std::string_view name, const Token& token,
                                              ObserverT observer = {}) {
    auto server = TransportT::listen(
        name, {options.max_half_open, std::chrono::milliseconds{options.handshake_timeout_ms},
               options.peers});
    if (!server) return server.error();
    return Channel(std::move(*server), token, std::move(observer));
  }

  /// Looks a name up and says Hello. The answer comes in later calls (until then `waiting_connect`
  /// is true and what is sent is queued), or, with a timeout, within this one. The timeout covers
  /// the whole way: a server that is not there yet, is busy, or goes and comes again.
  ///
  /// Errors: `not_found`, `other_transport`, `invalid_name`, `no_runtime_directory`,
  /// `permission_denied` (the name belongs to another user), the system's; with a timeout also
  /// those of a refusal: `bad_token`, `version_mismatch`, `schema_mismatch`,
  /// `send_policy_mismatch`, `queue_size_mismatch`, `refused`, `handshake_timeout`.
  /// Blocking: up to `timeout`, for the server to appear and to answer; never by default.
  template <class Rep = std::int64_t, class Period = std::milli>
  [[nodiscard]] static Result<Channel> connect(std::string_view name, const Token& token,
                                               std::chrono::duration<Rep, Period> timeout = {},
                                               ObserverT observer = {}) {
    const auto deadline = detail::Deadline::after(timeout);
    constexpr std::chrono::milliseconds longest{60};
    for (std::chrono::milliseconds pause{1};; pause = pause < longest / 2 ? 2 * pause : longest) {
      auto connected = connect_once(name, token, deadline, observer);
      if (connected || !passes(connected.error()) || deadline.passed()) {
        if (!connected && connected.error() == Errc::peer_closed) return Errc::refused;
        return connected;
      }
      // No system tells when a name appears.
      const auto slept =
          posix::wait_for({}, detail::Deadline::earlier(deadline, detail::Deadline::after(pause)));
      if (!slept) return slept.error();
    }
  }

  /// Two channels connected to each other: keep one, send the other with `Rights`. The peer's
  /// credentials are those of this process, whoever has the other end later.
  ///
  /// Errors: the system's. Blocking: never.
  [[nodiscard]] static Result<std::pair<Channel, Channel>> pair(ObserverT first = {},
                                                                ObserverT second = {}) {
    static_assert(PassesEnds<TransportT>,
                  "strait: this transport has no pairs of connected ends; use SocketTransport or "
                  "MachTransport.");
    auto links = TransportT::pair();
    if (!links) return links.error();
    const Peer self{posix::own_credentials(), true};
    return std::pair(Channel(std::move(links->first), self, std::move(first)),
                     Channel(std::move(links->second), self, std::move(second)));
  }

  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&&) noexcept = default;

  /// Sends a message, or queues it while there is no room or no peer. `poll`, `wait`, `run` and
  /// `flush` send what is queued, in order, before anything later. Success means that the message
  /// is on its way, not that it was read.
  ///
  /// Errors: `message_too_large`, `queue_full`: the message was not taken, and the channel goes on.
  /// `peer_closed` (what the peer sent before can still be received), `closed`, the error that
  /// ended the channel; `busy` from inside a serializer.
  /// Blocking: never.
  template <class Message>
  Result<void> send(const Message& message) {
    return send_with(message);
  }

  /// Sends the message in a buffer, which its receiver reads in place: by `std::move`, which gives
  /// the buffer away, or as it is at this moment, which leaves the sender a buffer of its own.
  /// Under copy-on-write neither sees what the other writes later, and a buffer that is sent again
  /// unchanged costs no copy; a loan is copied unless it is given away.
  ///
  /// Errors, blocking: as above. Ownership: the buffer is gone exactly when a move succeeds.
  template <class Buffer>
    requires detail::is_out_of_line<std::remove_cvref_t<Buffer>> Result<void> send(
        Buffer&& buffer) {
      using Plain = std::remove_cvref_t<Buffer>;
      constexpr bool moved = !std::is_lvalue_reference_v<Buffer> && !std::is_const_v<Buffer>;
      auto& lease = detail::OutOfLineAccess::lease(const_cast<Plain&>(buffer));
      const auto& message = detail::OutOfLineAccess::message(buffer);
      auto sent =
          send_payload(detail::OutOfLinePayload<SerializerT, std::decay_t<decltype(message)>>(
              message, lease, moved));
      if constexpr (moved) {
        if (sent) buffer = Plain();
      }
      return sent;
    }

  /// Sends a message with rights, which arrive with it, in order, all or none. The peer's listener
  /// gets them as a second argument, `strait::Rights`, if it takes one; else they are closed.
  ///
  /// Errors: as above; `too_many_rights`; `unsupported` for a right that this transport can't
  /// carry; the system's. Too many descriptors of this user under way (`ETOOMANYREFS`) is none: the
  /// message is queued until there are fewer.
  /// Ownership: the rights are gone from `rights` exactly when this succeeds.
  template <class Message>
  Result<void> send(const Message& message, Rights&& rights) {
    static_assert(CarriesRights<TransportT>,
                  "strait: this transport carries bytes only, as a FIFO does; use SocketTransport "
                  "or MachTransport to send rights.");
    if constexpr (CarriesRights<TransportT>) {
      if (rights.empty()) return send_with(message);
      if (rights.size() > options.max_rights) return Errc::too_many_rights;
      bool carried = true;
      rights.list().for_each(
          [&](const detail::Right& right) { carried = carried && TransportT::carries(right); });
      return carried ? send_with(message, rights.list()) : Errc::unsupported;
    }
  }

  /// A buffer for a message of `bytes` bytes, in the memory in which the peer will read it: shared
  /// memory where the transport's send policy says so, and there is some; else private memory.
  ///
  /// Errors: `message_too_large`; the system's. Blocking: never.
  Result<OutOfLineBytes> out_of_line_bytes(std::size_t bytes) {
    if (bytes > options.max_message_bytes) return Errc::message_too_large;
    auto lease = allocate(bytes);
    if (!lease) return lease.error();
    return detail::OutOfLineAccess::bytes(std::move(*lease), bytes);
  }

  /// The same for a `T`; its bytes are unspecified at first.
  template <class T>
  Result<OutOfLine<T>> out_of_line() {
    static_assert(SerializerT::template accepts<T>,
                  "strait: the channel's serializer does not know this type of message.");
    auto lease = allocate(sizeof(T));
    if (!lease) return lease.error();
    return detail::OutOfLineAccess::typed<T>(std::move(*lease));
  }

  /// Makes a right of this end, with the messages that it has received and not handled yet: for
  /// `Rights::add`. This object is `closed` then.
  ///
  /// Errors: `would_block` before the handshake is done, or while there are messages queued that
  /// the peer has no room for (`flush` them); `busy` from inside a listener; `unsupported` while
  /// the ends hold memory that is sent again or lent; those of the system, and those that ended the
  /// channel. The channel is then as it was.
  Result<detail::Right> into_right() requires PassesEnds<TransportT> {
    if (ended_) return ended_;
    if (listening_ || writing_) return Errc::busy;
    if (state_ != State::connected) return Errc::would_block;
    if (auto flushed = link_->flush(queue_); !flushed) return flushed.error();
    if (!queue_.empty()) return Errc::would_block;
    auto right = link_->detach();
    if (right) {
      // A copy of the descriptor lives on, and would in the wait set, too.
      wait_set_.reset();
      end(make_error_code(Errc::closed));
    }
    return right;
  }

  /// The inverse, for `Rights::take`: an end that somebody else was connected with. It is trusted
  /// as far as whoever passed it on, whose credentials are its peer's from now on.
  ///
  /// Errors: `wrong_right`, `bad_region`, `malformed`: it is no such end; `rights_lost`: this
  /// process has no descriptor left for it; those of the system; `permission_denied` if whoever
  /// passed it on is not allowed by `ChannelOptions::peers`.
  static Result<Channel> from_right(detail::Right& right) requires PassesEnds<TransportT> {
    const Peer passer{right.received ? right.sender : posix::own_credentials(), true};
    if (auto checked = detail::check_peer(passer.credentials, options.peers); !checked) {
      return checked.error();
    }
    auto link = TransportT::attach(right);
    if (!link) return link.error();
    return Channel(std::move(*link), passer, ObserverT());
  }

  /// Handles what is there. Returns how many times the listener was called: 0 when nothing is
  /// there.
  ///
  /// Errors: `peer_closed`, `malformed` and others that end the channel; `unexpected_message`,
  /// which does not; `busy` from inside a listener. Blocking: never.
  template <class Listener>
  Result<std::size_t> poll(Listener&& listener) {
    if (listening_) return Errc::busy;
    const StopTaken stop_taken{stop_};
    return poll_on(listener);
  }

  /// As `poll`, but waits for the first call of the listener. 0 when the time is up.
  ///
  /// Blocking: up to `duration`, in the way of the transport's wait policy.
  template <class Listener, class Rep, class Period>
  Result<std::size_t> wait(Listener&& listener, std::chrono::duration<Rep, Period> duration) {
    if (listening_) return Errc::busy;
    const StopTaken stop_taken{stop_};
    auto handled = poll_on(listener);
    if (!handled || *handled != 0 || stop_.raised()) return handled;
    const auto deadline = detail::Deadline::after(duration);
    return deadline.is_now() ? handled : wait_until(listener, deadline);
  }

  /// Handles messages until `stop`, `close` or an error.
  ///
  /// Errors: as `poll`; `peer_closed` is the ordinary end. Blocking: until then.
  template <class Listener>
  Result<void> run(Listener&& listener) {
    if (ended_) return ended_;
    if (listening_) return Errc::busy;
    const StopTaken stop_taken{stop_};
    while (!stop_.raised()) {
      auto handled = poll_on(listener);
      if (handled && *handled == 0 && !stop_.raised())
        handled = wait_until(listener, detail::Deadline::never());
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
    }
    return {};
  }

  /// Makes the `run`, `wait` or `poll` that is under way return, after this message; if there is
  /// none, the next one at once. What is left is for the next call.
  ///
  /// Threads: any, as long as this object is neither moved nor destroyed. Signals: safe to call in
  /// a handler, which ends a sleep in any thread.
  void stop() noexcept { stop_.raise(); }

  /// Waits until everything queued is on its way and, if a message out of line was `queue_full`,
  /// the peer has taken so much that there is room for it.
  ///
  /// Errors: `timed_out`: the rest stays queued; as `send`. Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<void> flush(std::chrono::duration<Rep, Period> duration) {
    auto flushed = flush_until(detail::Deadline::after(duration));
    // Waiting has used up the wake-ups that the user's loop had asked for.
    if (wait_set_ && !ended_) {
      if (auto updated = update_wait_set(); !updated) return updated;
    }
    return flushed;
  }

  /// Ends the channel: the peer sees `peer_closed` after all that was handed over. What is still
  /// queued is dropped: `flush` first if it matters. Blocking: never.
  void close() noexcept {
    if (listening_) {
      closing_ = true;
    } else {
      end(make_error_code(Errc::closed));
      // A loop that waits for this channel shall hear of it; not that of the process which this one
      // was forked from.
      if (wait_set_ && wait_set_->owner().is_this()) static_cast<void>(wait_set_->renew());
    }
  }

  /// A descriptor for a loop of your own: when it is readable, call `poll`; once is enough, for it
  /// becomes readable anew, which an edge-triggered loop (EPOLLET) sees, too, whenever something is
  /// left. From the first call of this on, `poll` asks the peer for wake-ups; call it once before
  /// the first wait.
  ///
  /// Errors: -1 when the system has no descriptor left. Ownership: the channel's.
  int native_handle() {
    if (!wait_set_) {
      auto created = posix::WaitSet::create();
      if (!created) return -1;
      wait_set_.emplace(std::move(*created));
      // The first signal takes a descriptor: better none at all now than none when it matters.
      if (!wait_set_->signal() || !update_wait_set()) {
        wait_set_.reset();
        return -1;
      }
    }
    return wait_set_->native_handle();
  }

  /// Who is at the other end; all zeros while a server waits for its client.
  const Peer& peer() const noexcept { return peer_; }

  /// True until the handshake is done.
  bool waiting_connect() const noexcept {
    return state_ == State::listening || state_ == State::greeting;
  }

  /// For the library: when to `poll` at the latest though there is nothing to read, because the
  /// time of a handshake is up.
  detail::Deadline handshake_deadline() const {
    if (state_ == State::listening) return server_->deadline();
    return state_ == State::greeting ? handshake_deadline_ : detail::Deadline::never();
  }

  /// For the library: sends what there is room for and gives what to wait for until there is more,
  /// which messages do not make ready where room has a descriptor of its own; none when all is
  /// sent, or nothing more can be.
  pollfd await_room() {
    constexpr pollfd nothing{-1, 0, 0};
    if (state_ != State::connected || queue_.empty()) return nothing;
    link_->take_doorbells();
    static_cast<void>(link_->arm(queue_));
    if (!link_->flush(queue_) || queue_.empty()) return nothing;
    const posix::Interest interest = link_->interest(queue_);
    return interest.out.fd >= 0 ? interest.out : interest.in;
  }

  /// What waits to be sent, and what was sent out of line and the peer has not taken yet.
  std::size_t queued_bytes() const noexcept {
    if constexpr (requires { link_->bytes_under_way(); }) {
      return queue_.bytes() + (link_ ? link_->bytes_under_way() : 0);
    } else {
      return queue_.bytes();
    }
  }

  ObserverT& observer() noexcept { return observer_; }

 private:
  template <class ChannelT, AcceptorOptions>
  friend class Acceptor;
  friend struct detail::Launcher;

  using WaitPolicy = typename TransportT::wait_policy;
  static constexpr std::size_t retry_bytes = std::size_t{16} << 10;
  static constexpr bool names_tell_credentials =
      detail::TellsCredentials<typename TransportT::Connector>;
  enum class State : std::uint8_t { listening, greeting, connected, ended };
  enum class Until : std::uint8_t { message, room };

  /// A flag that is up while this lives, also when a listener throws.
  class ScopedFlag {
   public:
    explicit ScopedFlag(bool& flag) : flag_(flag) { flag_ = true; }
    ~ScopedFlag() { flag_ = false; }
    ScopedFlag(const ScopedFlag&) = delete;
    ScopedFlag& operator=(const ScopedFlag&) = delete;

   private:
    bool& flag_;
  };

  /// Has the user's loop look again if a listener throws: there may be messages left.
  struct RearmOnExit {
    Channel& channel;
    bool needless = false;
    ~RearmOnExit() {
      if (!needless && channel.wait_set_) static_cast<void>(channel.wait_set_->renew());
    }
  };

  /// A call has heeded what made it return, also when a listener throws.
  struct StopTaken {
    detail::StopRequest& stop;
    ~StopTaken() { stop.take(); }
  };

  Channel(const Token& token, ObserverT observer) : token_(token), observer_(std::move(observer)) {}
  Channel(typename TransportT::Server server, const Token& token, ObserverT observer)
      : Channel(token, std::move(observer)) {
    server_.emplace(std::move(server));
  }

  /// Whether another attempt to connect may succeed.
  static bool passes(const std::error_code& error) {
    return error == Errc::not_found || error == Errc::would_block || error == Errc::peer_closed ||
           error == Errc::handshake_timeout || error == std::errc::connection_refused ||
           error == std::errc::no_such_file_or_directory;
  }

  /// On failure the observer is still the caller's. Errors: `peer_closed` when the server hung up
  /// without a word.
  static Result<Channel> connect_once(std::string_view name, const Token& token,
                                      detail::Deadline deadline, ObserverT& observer) {
    auto found = TransportT::look_up(name);
    if (!found) return found.error();
    return greet(std::move(*found), token, deadline, observer);
  }

  /// Says Hello to a server that was found, and waits for its answer until the deadline.
  static Result<Channel> greet(typename TransportT::Connector server, const Token& token,
                               detail::Deadline deadline, ObserverT& observer) {
    PeerCredentials credentials;
    if constexpr (names_tell_credentials) {
      credentials = server.credentials();
      if (auto checked = detail::check_peer(credentials, options.peers); !checked) {
        return checked.error();
      }
    }
    auto link = std::move(server).hello(
        detail::encode_hello(SerializerT::schema_hash, token, detail::wire_options_of<TransportT>())
            .bytes());
    if (!link) return link.error();

    Channel channel(token, std::move(observer));
    channel.peer_.credentials = credentials;
    channel.link_.emplace(std::move(*link));
    channel.state_ = State::greeting;
    channel.handshake_deadline_ =
        detail::Deadline::after(std::chrono::milliseconds{options.handshake_timeout_ms});
    if (deadline.is_now()) return channel;
    std::error_code failure;
    while (!failure) {
      channel.await_welcome();
      if (channel.ended_) {
        failure = channel.ended_ == Errc::refused ? channel.turned_away_ : channel.ended_;
      } else if (!channel.waiting_connect()) {
        return channel;
      } else if (deadline.passed()) {
        failure = make_error_code(Errc::handshake_timeout);
      } else if (auto slept = channel.sleep(deadline); !slept) {
        failure = slept.error();
      }
    }
    observer = std::move(channel.observer_);
    return failure;
  }

  Channel(TransportT link, const Peer& peer, ObserverT observer)
      : Channel(Token::from_bytes(std::array<std::byte, Token::size_bytes>()),
                std::move(observer)) {
    link_.emplace(std::move(link));
    peer_ = peer;
    state_ = State::connected;
  }

  Result<detail::Lease> allocate(std::size_t bytes) {
    if constexpr (requires { link_->allocate(bytes); }) {
      if (link_) {
        if (auto lease = link_->allocate(bytes)) return lease;
      }
    }
    return detail::PrivateMemory::create(bytes);
  }

  template <class Message, class... List>
  Result<void> send_with(const Message& message, List&... rights) {
    static_assert(SerializerT::template accepts<Message>,
                  "strait: the channel's serializer does not know this type of message.");
    return send_payload(detail::Payload<SerializerT, Message>(message), rights...);
  }

  template <class Payload, class... List>
  Result<void> send_payload(const Payload& payload, List&... rights) {
    using Size = decltype(payload.size());
    static_assert(detail::static_size<Size> == SIZE_MAX ||
                      detail::static_size<Size> <= options.max_message_bytes,
                  "strait: this type is larger than ChannelOptions::max_message_bytes.");
    if (payload.size() > options.max_message_bytes) [[unlikely]]
      return Errc::message_too_large;
    if (writing_ || closing_) [[unlikely]]
      return closing_ ? Errc::closed : Errc::busy;
    if constexpr (requires { link_->bytes_under_way(); }) {
      if (payload.size() >= TransportT::out_of_line_from && state_ == State::connected &&
          !link_->fits_under_way(payload.size(), options.max_queued_bytes)) {
        wanted_bytes_ = payload.size();
        return Errc::queue_full;
      }
    }
    const ScopedFlag writing(writing_);
    if (state_ == State::connected && queue_.empty()) [[likely]] {
      if (auto sent = link_->send(payload, queue_, rights...); !sent) [[unlikely]] {
        if (sent.error() == Errc::malformed || sent.error() == Errc::peer_closed) {
          unsendable_ = sent.error();
        }
        return sent;
      }
      if (!queue_.empty() && wait_set_ && !listening_) [[unlikely]] {
        // The user's loop has to hear of room now, too.
        static_cast<void>(update_wait_set());
      }
    } else if (auto queued = enqueue(payload, rights...); !queued) {
      return queued;
    }
    detail::observe_send(observer_, payload.size());
    return {};
  }

  template <class Payload, class... List>
  Result<void> enqueue(const Payload& payload, List&... rights) {
    if (ended_) return ended_;
    const std::size_t needed = payload.size() + sizeof(detail::FrameHeader);
    if (!queue_.empty() &&
        (needed > options.max_queued_bytes || queued_bytes() > options.max_queued_bytes - needed)) {
      // There may be room that nobody has noticed yet.
      const std::size_t before = queue_.bytes();
      if (state_ == State::connected) {
        if (auto flushed = link_->flush(queue_); !flushed) return flushed;
      }
      return queue_.bytes() == before ? Errc::queue_full : enqueue(payload, rights...);
    }
    if (auto queued = detail::enqueue(queue_, payload, rights...); !queued) return queued;
    if (state_ != State::connected) return {};
    // Asking for room may be a system call, so the more wait the less often: when a third of what
    // waits is new, or enough to go in one piece.
    const std::size_t waiting = queue_.bytes();
    if (waiting >= bytes_after_flush_ &&
        waiting - bytes_after_flush_ < detail::min(bytes_after_flush_ / 2, retry_bytes))
      return {};
    auto flushed = link_->flush(queue_);
    bytes_after_flush_ = queue_.bytes();
    // Rights are gone with the queue, so this has succeeded; the next call tells what has happened.
    return sizeof...(rights) == 0 ? flushed : Result<void>();
  }

  Result<void> flush_until(detail::Deadline deadline) {
    for (;;) {
      if (ended_) return ended_;
      if (state_ == State::connected) {
        if (auto sent = link_->flush(queue_); !sent) return sent;
        if (queue_.empty()) {
          if (has_room_under_way()) {
            wanted_bytes_ = 0;
            return {};
          }
          if (deadline.passed()) return Errc::timed_out;
          // No wake-up tells that the peer has taken what is out of line.
          constexpr std::chrono::milliseconds pause{1};
          auto slept = posix::wait_for(
              {}, detail::Deadline::earlier(deadline, detail::Deadline::after(pause)));
          if (!slept) return slept;
          link_->take_doorbells();
          continue;
        }
      } else if (queue_.empty()) {
        return {};
      } else {
        shake_hands();
        if (state_ == State::connected) continue;
      }
      if (deadline.passed()) return Errc::timed_out;
      if (auto slept = sleep(deadline, Until::room); !slept) return slept;
    }
  }

  /// Whether what is under way out of line leaves room for the message that found none.
  bool has_room_under_way() const {
    if constexpr (requires { link_->bytes_under_way(); }) {
      return wanted_bytes_ == 0 || link_->fits_under_way(wanted_bytes_, options.max_queued_bytes);
    } else {
      return true;
    }
  }

  /// Whether a poll that found nothing shall ask the system: every 20 ms, where it polls often
  /// enough. The clock is asked on every fourth poll.
  bool looks_at_peer() {
    ++idle_polls_;
    if (idle_polls_ % 4 != 0 || !next_look_.passed()) return false;
    next_look_ = detail::Deadline::after(std::chrono::milliseconds{20});
    return true;
  }

  template <class Listener>
  Result<std::size_t> poll_on(Listener& listener) {
    const bool rung = wait_set_ && link_ && link_->disarm();
    RearmOnExit rearm{*this};
    auto handled = handle_all(listener);
    rearm.needless = true;
    if (handled && *handled == 0 && link_) {
      // Only a system call shows that a peer was killed. Who waits makes one before it sleeps; who
      // polls all the time makes one now and then.
      if (wait_set_ || looks_at_peer()) link_->take_doorbells();
      if (state_ == State::connected) look_for_an_end();
    } else if ((rung || (wait_set_ && unfinished_)) && link_) {
      // An edge-triggered loop has to hear now of an end that was among what woke it.
      link_->take_doorbells();
    }
    if (wait_set_) {
      if (auto updated = update_wait_set(); !updated) return updated.error();
    }
    return handled;
  }

  /// For when `poll` had nothing to do.
  template <class Listener>
  Result<std::size_t> wait_until(Listener& listener, detail::Deadline deadline) {
    // Without a descriptor for the wake-up, a request to stop is looked for now and then.
    constexpr std::chrono::milliseconds look_again{100};
    const bool woken = stop_.prepare();
    while (!stop_.raised()) {
      const auto until =
          woken ? deadline
                : detail::Deadline::earlier(deadline, detail::Deadline::after(look_again));
      if (auto slept = sleep(until); !slept) return slept.error();
      auto handled = poll_on(listener);
      if (!handled || *handled != 0 || deadline.passed()) return handled;
    }
    return std::size_t{0};
  }

  template <class Listener>
  Result<std::size_t> handle_all(Listener& listener) {
    if (deferred_) return std::exchange(deferred_, std::error_code());
    const ScopedFlag listening(listening_);
    std::size_t handled = 0;
    unfinished_ = false;
    if (waiting_connect()) shake_hands();
    if (state_ == State::connected) {
      if (!announced_) {
        announced_ = true;
        if constexpr (requires { listener.on_connected(peer_); }) {
          listener.on_connected(peer_);
          ++handled;
        }
      }
      unfinished_ = stop_.raised();
      if (!closing_ && !unfinished_) handled += receive_all(listener);
    }
    if (closing_) end(make_error_code(Errc::closed));
    if (handled != 0) return handled;
    if (deferred_) return std::exchange(deferred_, std::error_code());
    if (ended_) return ended_;
    return handled;
  }

  template <class Listener>
  std::size_t receive_all(Listener& listener) {
    // A peer that takes no more may have left messages: that is the end only when none is left.
    if (!queue_.empty()) {
      if (auto flushed = link_->flush(queue_); !flushed) unsendable_ = flushed.error();
    }
    std::size_t handled = 0;
    std::error_code broken;
    const auto received = link_->receive(
        [&](const Incoming& message) {
          detail::observe_receive(observer_, message.bytes.size());
          const Result<void> read = deliver(listener, message);
          if (read) {
            ++handled;
          } else if (read.error() == Errc::unexpected_message) {
            deferred_ = read.error();
            detail::observe_unexpected(observer_, detail::MessageName<SerializerT>::of(message.tag),
                                       message.tag, message.bytes.size());
          } else {
            broken = read.error();
          }
          return read && !stop_.raised() && !closing_;
        },
        ReceiveLimits{options.max_message_bytes, options.max_rights});
    unfinished_ = received.has_value();
    if (broken) {
      end(broken);
    } else if (!received && received.error() != Errc::empty) {
      end(received.error());
    } else if (!received && unsendable_) {
      end(unsendable_);
    }
    return handled;
  }

  /// A peer that has sent its own end of the link, with a message that it will never finish, keeps
  /// the link open by that when it dies.
  void look_for_an_end() {
    if constexpr (requires { link_->unfinished(); }) {
      const std::uint64_t unfinished = link_->unfinished();
      if (unfinished != begun_ || unfinished == 0) [[likely]] {
        if (unfinished == begun_) return;
        begun_ = unfinished;
      } else if (!look_again_at_.passed()) {
        return;
      } else if (!peer_.passed_on && posix::has_ended(peer_.credentials.pid)) {
        return end(make_error_code(Errc::peer_closed));
      }
      look_again_at_ = unfinished == 0 ? detail::Deadline::never()
                                       : detail::Deadline::after(std::chrono::seconds{2});
    }
  }

  template <class Listener>
  Result<void> deliver(Listener& listener, const Incoming& message) {
    Rights rights;
    if (message.rights != nullptr) [[unlikely]] {
      if (message.rights->size() > options.max_rights) return Errc::too_many_rights;
      message.rights->for_each([&](detail::Right& right) { right.sender = peer_.credentials; });
      rights = Rights(std::move(*message.rights));
    }
    if constexpr (std::derived_from<Listener, detail::FrameSink>) {
      return listener.take(message.tag, message.bytes, rights);
    } else {
      return detail::deliver<SerializerT, CarriesRights<TransportT>>(listener, message, rights);
    }
  }

  void shake_hands() {
    unwatch();
    if (state_ == State::listening) {
      await_hello();
    } else {
      await_welcome();
    }
  }

  void await_hello() {
    for (int i = 0; i != detail::fair_share && state_ == State::listening; ++i) {
      auto request = server_->accept();
      if (!request) {
        // A server for one client alone ends with it, and says why that was turned away.
        const bool through = request.error() == Errc::peer_closed;
        if (request.error() != Errc::empty) end(through ? turned_away_ : request.error());
        return;
      }
      const PeerCredentials who = request->credentials;
      const bool came = !request->failure;
      if (auto link = answer(std::move(*request), token_)) {
        admit(std::move(*link), who);
      } else {
        turned_away_ = link.error();
        detail::observe_refused(observer_, link.error(), who);
        // No client can ever be let in.
        if (came && posix::is_permanent(link.error())) end(link.error());
      }
    }
  }

  /// Waits for the client until the deadline, or until `lifeline` is hung up.
  ///
  /// Errors: when it is, why somebody was turned away, or `peer_closed`; `handshake_timeout`; those
  /// that end the channel.
  Result<void> await_client(int lifeline, detail::Deadline deadline) {
    for (;;) {
      // Asked first: what came before the end still counts.
      const bool hung_up = (posix::events_now(lifeline, POLLIN) & (POLLHUP | POLLERR)) != 0;
      await_hello();
      if (ended_) return ended_;
      if (state_ == State::connected) return {};
      if (hung_up) return turned_away_;
      if (deadline.passed()) return Errc::handshake_timeout;
      auto slept = posix::wait_for({server_->interest(), {lifeline, 0, 0}},
                                   detail::Deadline::earlier(deadline, server_->deadline()));
      if (!slept) return slept;
    }
  }

  /// Lets a client in, or turns it away and tells why; one that knows the token, but would be one
  /// too many, is `refused`.
  static Result<TransportT> answer(typename TransportT::Request request, const Token& token,
                                   bool full = false) {
    if (request.failure) return request.failure;
    if (auto checked = detail::check_peer(request.credentials, options.peers); !checked) {
      return checked.error();
    }
    auto why = detail::check_hello(request.hello(), SerializerT::schema_hash, token,
                                   detail::wire_options_of<TransportT>())
                   .error();
    if (!why && full) why = Errc::refused;
    const auto status = detail::encode_welcome(why);
    if (!why) return std::move(request).welcome(status.bytes());
    std::move(request).refuse(status.bytes());
    return why;
  }

  void admit(TransportT link, const PeerCredentials& who) {
    link_.emplace(std::move(link));
    detail::withdraw(server_);
    peer_.credentials = who;
    connected();
  }

  void await_welcome() {
    const auto answer = link_->welcome();
    if (answer) {
      auto welcome = detail::check_welcome(answer->bytes());
      if constexpr (!names_tell_credentials) {
        peer_.credentials = link_->server_credentials();
        // Before what it says counts.
        if (auto checked = detail::check_peer(peer_.credentials, options.peers); !checked) {
          welcome = checked;
        }
      }
      if (!welcome) turned_away_ = welcome.error();
      welcome ? connected() : end(welcome.error());
    } else if (answer.error() != Errc::empty) {
      // Without a word.
      end(answer.error() == Errc::peer_closed ? make_error_code(Errc::refused) : answer.error());
    } else if (handshake_deadline_.passed()) {
      end(make_error_code(Errc::handshake_timeout));
    }
  }

  void connected() {
    state_ = State::connected;
    queue_.warm_up();
    if (!queue_.empty()) static_cast<void>(link_->flush(queue_));
  }

  void end(std::error_code why) noexcept {
    if (ended_) return;
    ended_ = why;
    state_ = State::ended;
    detail::withdraw(server_);
    link_.reset();
    queue_.clear();
    look_again_at_ = detail::Deadline::never();
    watched_ = {};
  }

  /// What waits for room: nothing before the handshake is done.
  const detail::FrameQueue& sendable() const {
    static const detail::FrameQueue nothing;
    return state_ == State::connected ? queue_ : nothing;
  }

  /// When there is something to do even if nothing comes.
  detail::Deadline due() const {
    if (state_ == State::listening) return server_->deadline();
    if (state_ == State::greeting) return handshake_deadline_;
    if constexpr (requires { link_->retries(); }) {
      if (!queue_.empty() && link_ && link_->retries()) {
        constexpr std::chrono::milliseconds pause{10};
        return detail::Deadline::earlier(look_again_at_, detail::Deadline::after(pause));
      }
    }
    return look_again_at_;
  }

  /// Waits for something to do, at most until the deadline.
  Result<void> sleep(detail::Deadline deadline, Until until = Until::message) {
    if (state_ == State::ended) return ended_;
    if (state_ == State::listening) {
      return posix::wait_for({server_->interest(), {-1, 0, 0}},
                             detail::Deadline::earlier(deadline, due()), stop_.wakeup());
    }
    if (until == Until::message && spin_([&] { return link_->readable(); }, deadline)) return {};
    deadline = detail::Deadline::earlier(deadline, due());
    Result<void> slept;
    bool ready = link_->arm(sendable());
    // Who flushes wants room; messages that are there already must not keep it awake.
    const bool for_room = until == Until::room && state_ == State::connected;
    if (ready && for_room) {
      const std::size_t before = queue_.bytes();
      ready = !link_->flush(queue_) || queue_.bytes() != before;
    }
    if (!ready && !(WaitPolicy::spin_time == std::chrono::nanoseconds::max())) {
      slept = sleep_on_link(deadline, for_room);
    }
    link_->disarm();
    // With something to read there is no hurry to ask the system what else there is.
    if (until == Until::room || !link_->readable()) link_->take_doorbells();
    return slept;
  }

  Result<void> sleep_on_link(detail::Deadline deadline, bool for_room) {
    if constexpr (requires { link_->wait(deadline); }) {
      // It does not end with a request to stop, so it is for the beginning of a sleep.
      constexpr std::chrono::milliseconds brief{10};
      if (sendable().empty()) {
        auto slept =
            link_->wait(detail::Deadline::earlier(deadline, detail::Deadline::after(brief)));
        if (!slept || link_->readable() || stop_.raised() || deadline.passed()) return slept;
        // A late doorbell for what was read before has used up the wish for one.
        if (link_->arm(sendable())) return slept;
      }
    }
    posix::Interest interest = link_->interest(sendable());
    // The peer's end shows without being asked for, on some transports only on this one.
    if (for_room && interest.out.fd >= 0) interest.in.events = 0;
    return posix::wait_for(interest, deadline, stop_.wakeup());
  }

  /// Makes the user's loop see what there is to do.
  Result<void> update_wait_set() {
    Watched wanted;
    bool ready = state_ == State::ended || deferred_ || unfinished_;
    if (state_ == State::listening) {
      wanted.in = server_->interest();
    } else if (link_) {
      ready = link_->arm(sendable()) || ready;
      const posix::Interest interest = link_->interest(sendable());
      wanted = interest;
      if (wanted.out.fd == wanted.in.fd) {  // a set has each descriptor once
        wanted.in.events = static_cast<short>(wanted.in.events | wanted.out.events);
        wanted.out = {-1, 0, 0};
      }
    }
    if (auto watched = watch(watched_.in, wanted.in); !watched) return watched;
    if (auto watched = watch(watched_.out, wanted.out); !watched) return watched;
    wait_set_->wake_at(due());
    if (ready) return wait_set_->renew();
    wait_set_->clear();
    return {};
  }

  Result<void> watch(pollfd& watched, const pollfd& wanted) {
    if (watched.fd == wanted.fd && watched.events == wanted.events) return {};
    if (watched.fd >= 0 && watched.fd != wanted.fd) wait_set_->forget(watched.fd);
    watched = wanted;
    return wanted.fd >= 0 ? wait_set_->watch(wanted.fd, wanted.events) : Result<void>();
  }

  /// For before what closes descriptors: another thread may have their numbers a moment later, and
  /// so may this channel.
  void unwatch() {
    for (const int fd : {watched_.in.fd, watched_.out.fd}) {
      if (wait_set_ && fd >= 0) wait_set_->forget(fd);
    }
    watched_ = {};
  }

  using Watched = posix::Interest;

  detail::ResetOnMove<TransportT> link_;
  detail::FrameQueue queue_;
  detail::ClosedOnMove ended_;
  std::error_code unsendable_;
  std::error_code deferred_;
  std::error_code turned_away_ = make_error_code(Errc::peer_closed);
  detail::ValueOnMove<State, State::ended> state_ = State::listening;
  bool writing_ = false;
  bool listening_ = false;
  /// More may be there than the last call has handled.
  bool unfinished_ = false;
  bool closing_ = false;
  bool announced_ = false;
  detail::StopRequest stop_;
  std::uint32_t idle_polls_ = 0;
  detail::Deadline next_look_ = detail::Deadline::now();
  std::size_t wanted_bytes_ = 0;
  std::size_t bytes_after_flush_ = 0;  // when `send` last tried to flush
  detail::Spinner<WaitPolicy> spin_;
  Peer peer_;
  Token token_;
  detail::ResetOnMove<typename TransportT::Server> server_;
  detail::Deadline handshake_deadline_ = detail::Deadline::never();
  /// What `look_for_an_end` saw last, and when that counts.
  std::uint64_t begun_ = 0;
  detail::Deadline look_again_at_ = detail::Deadline::never();
  detail::ResetOnMove<posix::WaitSet> wait_set_;
  Watched watched_;
  [[no_unique_address]] ObserverT observer_;
};

}  // namespace strait
