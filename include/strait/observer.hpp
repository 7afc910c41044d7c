#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

#include "strait/peer.hpp"

namespace strait {

/// Which side has ended a channel.
enum class EndedBy : std::uint8_t {
  /// `close()`, the end of the object, or something that this process has run out of.
  this_side,
  /// The peer has closed its end, turned this side away or broken the rules. Its process lives, or
  /// the kernel does not tell.
  peer,
  /// The peer's process has ended by itself: `ChannelEnd::status` is its exit code.
  peer_exited,
  /// The peer's process was killed: `ChannelEnd::status` is the signal.
  peer_killed,
  /// The peer's process has ended, and how is not known any more.
  peer_gone,
};

/// How a channel came to its end, as far as the kernel tells: a process that closes its end and
/// exits a moment later may count as `peer` or as `peer_exited`.
struct ChannelEnd {
  std::error_code why;
  EndedBy by = EndedBy::this_side;
  int status = 0;
};

/// An observer hears what happens to a channel. Every hook is optional, and costs nothing where it
/// is missing:
///
///     void on_name(std::string_view name);
///         the channel or the acceptor is going to listen on this name, or to look it up
///     void on_connected(const Peer& peer);
///         the handshake is done
///     void on_client(ClientId client);
///         of an acceptor's clients this is the channel of that one; after `on_connected`
///     void on_ended(const ChannelEnd& end);
///         the channel has ended, also before it was connected, and no other hook is called any
///         more but `on_send_failed`; or `listen`, `connect` or `launch` has failed
///     void on_refused(std::error_code why, const PeerCredentials& client);
///         a client's Hello was refused
///     void on_schema_mismatch(std::string_view type, std::uint16_t tag);
///         the peer is refused, or refuses, because this is the first message type that it has
///         otherwise, or (if `type` is empty) that this side has not
///
///     void on_send(std::size_t bytes);
///     void on_send(std::string_view type, std::uint16_t tag, std::size_t bytes);
///         a message was accepted by `send`; either form, or both
///     void on_sent_bytes(std::uint16_t tag, std::span<const std::byte> message);
///         the same message; unless it lies in memory as it is sent, it is encoded twice for this
///     void on_send_failed(std::error_code why, std::string_view type, std::uint16_t tag,
///                         std::size_t bytes);
///         a message was not accepted: `queue_full`, `message_too_large`, `too_many_rights` or any
///         other error of `send`; 0 bytes if it was not encoded
///     void on_conflated(std::size_t messages);
///         so many messages that waited to be sent were dropped, because newer ones replace them:
///         see `KeepLast`
///
///     void on_receive(std::size_t bytes);
///     void on_receive(std::string_view type, std::uint16_t tag, std::size_t bytes);
///         a message is about to be given to the listener; either form, or both
///     void on_received_bytes(std::uint16_t tag, std::span<const std::byte> message);
///         the same message; it is not known yet whether it is a good one
///     void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes);
///         the listener has no callable for this message
///
/// `type` is a type's name without namespaces, empty if the serializer has none; `tag` is its place
/// in `TrivialSerializer`'s list. A hook must neither use the channel nor throw.
///
/// An acceptor's own observer hears of refusals; each client's channel has a copy of it.
///
/// Threads: called on the thread that uses the channel. Of a `ChannelProxy` that is the thread that
/// sends for what is about sending, that of the listener for `on_unexpected`, and the proxy's own
/// for all else; never two at a time.
struct NoObserver {};

namespace detail {

// Which hooks an observer has.

template <class T>
concept HearsName = requires(T& observer, std::string_view name) {
  observer.on_name(name);
};
template <class T>
concept HearsConnected = requires(T& observer, const Peer& peer) {
  observer.on_connected(peer);
};
template <class T>
concept HearsClient = requires(T& observer, ClientId client) {
  observer.on_client(client);
};
template <class T>
concept HearsEnd = requires(T& observer, const ChannelEnd& end) {
  observer.on_ended(end);
};
template <class T>
concept HearsRefused = requires(T& observer, std::error_code why, const PeerCredentials& client) {
  observer.on_refused(why, client);
};
template <class T>
concept HearsMismatch = requires(T& observer, std::string_view type, std::uint16_t tag) {
  observer.on_schema_mismatch(type, tag);
};
template <class T>
concept HearsSend = requires(T& observer, std::size_t bytes) {
  observer.on_send(bytes);
};
template <class T>
concept HearsTypedSend = requires(T& observer, std::string_view type, std::uint16_t tag,
                                  std::size_t bytes) {
  observer.on_send(type, tag, bytes);
};
template <class T>
concept HearsSentBytes = requires(T& observer, std::uint16_t tag,
                                  std::span<const std::byte> message) {
  observer.on_sent_bytes(tag, message);
};
template <class T>
concept HearsFailedSend = requires(T& observer, std::error_code why, std::string_view type,
                                   std::uint16_t tag, std::size_t bytes) {
  observer.on_send_failed(why, type, tag, bytes);
};
template <class T>
concept HearsConflated = requires(T& observer, std::size_t messages) {
  observer.on_conflated(messages);
};
template <class T>
concept HearsReceive = requires(T& observer, std::size_t bytes) {
  observer.on_receive(bytes);
};
template <class T>
concept HearsTypedReceive = requires(T& observer, std::string_view type, std::uint16_t tag,
                                     std::size_t bytes) {
  observer.on_receive(type, tag, bytes);
};
template <class T>
concept HearsReceivedBytes = requires(T& observer, std::uint16_t tag,
                                      std::span<const std::byte> message) {
  observer.on_received_bytes(tag, message);
};
template <class T>
concept HearsUnexpected = requires(T& observer, std::string_view type, std::uint16_t tag,
                                   std::size_t bytes) {
  observer.on_unexpected(type, tag, bytes);
};

template <class Observer>
void observe_name(Observer& observer, std::string_view name) {
  if constexpr (HearsName<Observer>) observer.on_name(name);
}
template <class Observer>
void observe_connected(Observer& observer, const Peer& peer) {
  if constexpr (HearsConnected<Observer>) observer.on_connected(peer);
}
template <class Observer>
void observe_client(Observer& observer, ClientId client) {
  if constexpr (HearsClient<Observer>) observer.on_client(client);
}
template <class Observer>
void observe_refused(Observer& observer, std::error_code why, const PeerCredentials& client) {
  if constexpr (HearsRefused<Observer>) observer.on_refused(why, client);
}
template <class Observer>
void observe_schema_mismatch(Observer& observer, std::string_view type, std::uint16_t tag) {
  if constexpr (HearsMismatch<Observer>) observer.on_schema_mismatch(type, tag);
}
template <class Observer>
void observe_conflated(Observer& observer, std::size_t messages) {
  if constexpr (HearsConflated<Observer>) observer.on_conflated(messages);
}
template <class Observer>
void observe_unexpected(Observer& observer, std::string_view type, std::uint16_t tag,
                        std::size_t bytes) {
  if constexpr (HearsUnexpected<Observer>) observer.on_unexpected(type, tag, bytes);
}

}  // namespace detail
}  // namespace strait
