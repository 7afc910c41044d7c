#pragma once

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
#include "strait/base/deadline.hpp"
#include "strait/channel/channel_core.hpp"
#include "strait/channel/connect_attempts.hpp"
#include "strait/channel/observing.hpp"
#include "strait/channel_options.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/client.hpp"
#include "strait/handshake/server.hpp"
#include "strait/memory/encode_buffer.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/observer.hpp"
#include "strait/os/activated_socket.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/process.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/send_policy.hpp"
#include "strait/serializer.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"

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
  static_assert(detail::check_transport<TransportT>());
  static_assert(detail::check_serializer<SerializerT>());
  static_assert(options.max_rights <= detail::max_rights, "strait: max_rights is 127 at the most.");
  static_assert(options.max_message_bytes <= (std::size_t{1} << 30),
                "strait: max_message_bytes is 1 GiB at the most.");

  using NameT = detail::NameOf<TransportT>;

 public:
  using transport = TransportT;
  using serializer = SerializerT;
  using observer_type = ObserverT;
  static constexpr ChannelOptions channel_options = options;

  /// Claims a name and waits, in later calls, for the one client that has the token. What is sent
  /// before that is queued. The name is free again once the client is there.
  ///
  /// Errors: `invalid_name`, `name_taken`, `permission_denied`, the system's. Blocking: never.
  [[nodiscard]] static Result<Channel> listen(NameT name, const Token& token,
                                              ObserverT observer = {}) {
    detail::observe_name(observer, name);
    auto server = detail::HandshakeServer<TransportT>::listen(terms(token), accept_limits(), name);
    if (!server) return detail::observe_failure(observer, server.error());
    return Channel(std::move(*server), std::move(observer));
  }

  /// The same at a socket that a service manager has made and keeps.
  ///
  /// Errors: those of `ActivatedSocket::listening`, the system's. Blocking: never.
  [[nodiscard]] static Result<Channel> listen(ActivatedSocket socket, const Token& token,
                                              ObserverT observer = {}) {
    static_assert(detail::check_activatable<TransportT>());
    auto server = detail::HandshakeServer<TransportT>::listen(terms(token), accept_limits(),
                                                              std::move(socket));
    if (!server) return detail::observe_failure(observer, server.error());
    return Channel(std::move(*server), std::move(observer));
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
  [[nodiscard]] static Result<Channel> connect(NameT name, const Token& token,
                                               std::chrono::duration<Rep, Period> timeout = {},
                                               ObserverT observer = {}) {
    detail::observe_name(observer, name);
    const auto deadline = detail::Deadline::after(timeout);
    auto server = detail::connect_to<TransportT>(name, terms(token), accept_limits().timeout,
                                                 deadline, observer);
    if (!server) return detail::observe_failure(observer, server.error());
    return Channel(std::move(*server), deadline.is_now(), std::move(observer));
  }

  /// Two channels connected to each other: keep one, send the other with `Rights`. The peer's
  /// credentials are those of this process, even if another one has the other end later.
  ///
  /// Errors: the system's. Blocking: never.
  [[nodiscard]] static Result<std::pair<Channel, Channel>> pair(ObserverT first = {},
                                                                ObserverT second = {}) {
    static_assert(PassesEnds<TransportT>,
                  "strait: this transport has no pairs of connected ends; use SocketTransport or "
                  "MachTransport.");
    auto links = TransportT::pair();
    if (!links) return links.error();
    const Peer self{os::own_credentials(), true};
    return std::pair(Channel(self, std::move(links->first), State::connected, std::move(first)),
                     Channel(self, std::move(links->second), State::connected, std::move(second)));
  }

  Channel(Channel&&) noexcept = default;
  ~Channel() { core_.observe_destruction(); }
  Channel& operator=(Channel&& other) noexcept {
    core_.observe_destruction();
    core_ = std::move(other.core_);
    encoder_ = std::move(other.encoder_);
    return *this;
  }

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
  /// unchanged costs no copy; a loan is copied unless it is given away, or `Acceptor`'s for many.
  ///
  /// Errors, blocking: as above. Ownership: the buffer is gone exactly when a move succeeds.
  template <class Buffer>
    requires detail::is_out_of_line<std::remove_cvref_t<Buffer>> Result<void> send(
        Buffer&& buffer) {
      using Plain = std::remove_cvref_t<Buffer>;
      constexpr bool moved = !std::is_lvalue_reference_v<Buffer> && !std::is_const_v<Buffer>;
      auto& lease = detail::OutOfLineAccess::lease(const_cast<Plain&>(buffer));
      const auto& message = detail::OutOfLineAccess::message(buffer);
      if (auto checked = check(message); !checked) return not_sent(message, checked);
      using Message = std::decay_t<decltype(message)>;
      auto sent = core_.template send<detail::max_waiting_of<Message>>(
          detail::OutOfLinePayload<SerializerT, Message>(message, lease, moved));
      if constexpr (moved) {
        if (sent) detail::OutOfLineAccess::give_away(buffer);
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
      if (rights.size() > options.max_rights) return not_sent(message, Errc::too_many_rights);
      bool carried = true;
      rights.list().for_each(
          [&](const detail::Right& right) { carried = carried && TransportT::carries(right); });
      return carried ? send_with(message, rights.list()) : not_sent(message, Errc::unsupported);
    }
  }

  /// A buffer for a message of `bytes` bytes, in the memory in which the peer will read it: shared
  /// memory where the transport's send policy says so, and there is some; else private memory.
  ///
  /// Errors: `message_too_large`; the system's. Blocking: never.
  Result<OutOfLineBytes> out_of_line_bytes(std::size_t bytes) {
    if (bytes > options.max_message_bytes) return Errc::message_too_large;
    auto lease = core_.allocate(bytes);
    if (!lease) return lease.error();
    return detail::OutOfLineAccess::bytes(std::move(*lease), bytes);
  }

  /// The same for a `T`; its bytes are unspecified at first.
  template <class T>
  Result<OutOfLine<T>> out_of_line() {
    static_assert(SerializerT::template accepts<T>,
                  "strait: the channel's serializer does not know this type of message.");
    static_assert(detail::HasMessageBytes<SerializerT, T>,
                  "strait: this type of message is not sent as it lies in memory, so it can't lie "
                  "out of line.");
    auto lease = core_.allocate(sizeof(T));
    if (!lease) return lease.error();
    return detail::OutOfLineAccess::typed<T>(std::move(*lease));
  }

  /// Makes a right of this end, with the messages that it has received and not handled yet: for
  /// `Rights::add`. This object is `closed` then.
  ///
  /// Errors: `would_block` before the handshake is done, or while there are messages queued that
  /// the peer has no room for (`flush` them); `busy` from inside a listener; `unsupported` while
  /// the ends hold memory that is sent again or lent, and for an end that met its peer by a name
  /// without `ChannelOptions::passable`; those of the system, and those that ended the channel. The
  /// channel is then as it was.
  Result<detail::Right> into_right() requires PassesEnds<TransportT> { return core_.into_right(); }

  /// The inverse, for `Rights::take`: an end that another process was connected with. It is trusted
  /// as far as the process that passed it on, whose credentials are its peer's from now on.
  ///
  /// Errors: `wrong_right`, `bad_region`, `malformed`: it is no such end; `rights_lost`: this
  /// process has no descriptor left for it; those of the system; `permission_denied` if the process
  /// that passed it on is not allowed by `ChannelOptions::peers`.
  static Result<Channel> from_right(detail::Right& right) requires PassesEnds<TransportT> {
    const Peer passer{right.received ? right.sender : os::own_credentials(), true};
    if (auto checked = detail::check_peer(passer.credentials, options.peers); !checked) {
      return checked.error();
    }
    auto link = TransportT::attach(right);
    if (!link) return link.error();
    return Channel(passer, std::move(*link), State::connected, ObserverT());
  }

  /// Handles what is there. Returns how many times the listener was called: 0 when nothing is
  /// there.
  ///
  /// Errors: `peer_closed`, `malformed` and others that end the channel; `unexpected_message`,
  /// which does not; `busy` from inside a listener. Blocking: never.
  template <class Listener>
  Result<std::size_t> poll(Listener&& listener) {
    return core_.poll(listener);
  }

  /// As `poll`, but waits for the first call of the listener. 0 when the time is up.
  ///
  /// Blocking: up to `duration`, in the way of the transport's wait policy.
  template <class Listener, class Rep, class Period>
  Result<std::size_t> wait(Listener&& listener, std::chrono::duration<Rep, Period> duration) {
    return core_.wait(listener, detail::Deadline::after(duration));
  }

  /// Handles messages until `stop`, `close` or an error.
  ///
  /// Errors: as `poll`; `peer_closed` is the ordinary end. Blocking: until then.
  template <class Listener>
  Result<void> run(Listener&& listener) {
    return core_.run(listener);
  }

  /// Makes the `run`, `wait` or `poll` that is under way return, after this message; if there is
  /// none, the next one at once. What is left is for the next call.
  ///
  /// Threads: any, as long as this object is neither moved nor destroyed. Signals: safe to call in
  /// a handler, which ends a sleep in any thread.
  void stop() noexcept { core_.stop(); }

  /// Waits until everything queued is on its way and, if a message out of line was `queue_full`,
  /// the peer has taken so much that there is room for it.
  ///
  /// Errors: `timed_out`: the rest stays queued; as `send`. Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<void> flush(std::chrono::duration<Rep, Period> duration) {
    return core_.flush(detail::Deadline::after(duration));
  }

  /// Ends the channel: the peer sees `peer_closed` after all that was handed over. What is still
  /// queued is dropped: `flush` first if it matters. Blocking: never.
  void close() noexcept { core_.close(make_error_code(Errc::closed)); }

  /// A descriptor for a loop of your own: when it is readable, call `poll`; once is enough, for it
  /// becomes readable anew, which an edge-triggered loop (EPOLLET) sees, too, whenever something is
  /// left. From the first call of this on, `poll` asks the peer for wake-ups; call it once before
  /// the first wait.
  ///
  /// Errors: the system's. Ownership: the channel's; a loop that closes descriptors gets a dup.
  HandleResult native_handle() { return core_.native_handle(); }

  /// The other end; all zeros while a server waits for its client.
  const Peer& peer() const noexcept { return core_.peer(); }

  /// True until the handshake is done.
  bool waiting_connect() const noexcept {
    return core_.state() == State::listening || core_.state() == State::greeting;
  }

  /// What waits to be sent, and what was sent out of line and the peer has not taken yet.
  std::size_t queued_bytes() const noexcept { return core_.queued_bytes(); }

  ObserverT& observer() noexcept { return core_.observer(); }

  // For the library's own parts.
  /// Sends what was serialized and checked already.
  template <class Message, class Payload>
  Result<void> send_payload(const Payload& payload) {
    return core_.template send<detail::max_waiting_of<Message>>(payload);
  }

  /// Waits for the one client of a server.
  Channel(detail::HandshakeServer<TransportT> server, ObserverT observer)
      : core_(std::move(server), std::move(observer)) {}
  /// To a client that was let in, or to a server, which has let this process in unless `greeting`.
  Channel(detail::Introduced<TransportT> peer, bool greeting, ObserverT observer)
      : Channel(peer.peer(), met(peer.link, greeting),
                greeting ? State::greeting : State::connected, std::move(observer)) {}
  static detail::HandshakeTerms terms(const Token& token) {
    return {token, detail::schema_of<SerializerT>(), detail::wire_options_of<TransportT>(),
            options.peers};
  }
  static constexpr detail::AcceptLimits accept_limits() {
    return {options.max_half_open, std::chrono::milliseconds{options.handshake_timeout_ms},
            options.peers};
  }
  /// As `close`, and says why; not from inside a listener.
  void close_because(std::error_code why) noexcept { core_.close(why); }
  /// Sends what was encoded before, which the peer's serializer finds good or not.
  Result<void> send_encoded(std::uint16_t tag, std::span<const std::byte> message) {
    return core_.template send<ChannelOptions::unbounded>(
        detail::PlainPayload(tag, message.size(), message.data()));
  }
  template <class Listener>  // which says whether it was stopped, also by a listener that it called
  auto wait_or_stop(Listener& listener, detail::Deadline until, bool& stopped) {
    return core_.wait(listener, until, &stopped);
  }
  detail::Deadline handshake_deadline() const { return core_.handshake_deadline(); }
  Interest await_room() { return core_.await_room(); }
  bool has_unsent() const { return core_.has_unsent(); }
  /// Has `native_handle` become ready at this time, too.
  void wake_by(detail::Deadline deadline) { core_.wake_by(deadline); }

 private:
  using Core = detail::ChannelCore<TransportT, SerializerT, options, ObserverT>;
  using State = typename Core::State;

  Channel(const Peer& peer, TransportT&& link, State state, ObserverT observer)
      : core_(peer, std::move(link), state, std::move(observer)) {}

  /// A link to a peer that was met by a name; while it is greeting, that is not known yet.
  static TransportT&& met(TransportT& link, bool greeting) {
    if (!options.passable && !greeting) detail::stay(link);
    return std::move(link);
  }

  template <class Message, class... List>
  Result<void> send_with(const Message& message, List&... rights) {
    if constexpr (detail::AcceptsMessage<SerializerT, Message>) {
      static_assert(SerializerT::template accepts<Message>,
                    "strait: the channel's serializer does not know this type of message.");
    }
    static_assert(detail::check_message<SerializerT, Message>());
    if (auto checked = check(message); !checked) return not_sent(message, checked);
    constexpr std::size_t max_waiting = detail::max_waiting_of<Message>;
    if constexpr (detail::EncodesMessage<SerializerT, Message>) {
      const auto bytes = encoder_.template encode<SerializerT>(message, options.max_message_bytes);
      if (!bytes) return not_sent(message, bytes.error());
      const detail::PlainPayload payload(SerializerT::tag(message), bytes->size(), bytes->data());
      return core_.template send<max_waiting>(payload, rights...);
    } else {
      return core_.template send<max_waiting>(detail::payload_of<SerializerT>(message), rights...);
    }
  }

  /// Has the observer hear of a message that was not encoded.
  template <class Message>
  Result<void> not_sent(const Message& message, Result<void> why) {
    return detail::observe_failed_send<SerializerT>(core_.observer(), SerializerT::tag(message), 0,
                                                    why);
  }

  template <class Message>
  static Result<void> check(const Message& message) {
    if constexpr (detail::ChecksMessage<SerializerT, Message>) {
      return SerializerT::check(message);
    } else {
      return {};
    }
  }

  Core core_;
  detail::Encoder encoder_;
};

}  // namespace strait
