#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "strait/peer.hpp"

namespace strait {

/// An observer sees a channel's traffic go by. Every hook is optional; what it lacks costs nothing:
///
///     void on_send(std::size_t bytes);       a message was accepted by `send`
///     void on_receive(std::size_t bytes);    a message is about to be given to the listener
///     void on_conflated(std::size_t messages);
///         so many that waited to be sent were dropped for newer ones: see `KeepLast`
///     void on_refused(std::error_code why, const PeerCredentials&);   a client's Hello was refused
///     void on_schema_mismatch(std::string_view type, std::uint16_t tag);
///         the peer is refused, or refuses, because this is the first message type that it has
///         otherwise, or (if `type` is empty) that this side has not
///     void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes);
///         the listener has no callable for this message; `type` is its name without namespaces,
///         empty if the serializer has none; `tag` is its place in `TrivialSerializer`'s list
///
/// Threads: called on the thread that uses the channel.
struct NoObserver {};

namespace detail {

template <class Observer>
void observe_send(Observer& observer, std::size_t bytes) {
  if constexpr (requires { observer.on_send(bytes); }) observer.on_send(bytes);
}

template <class Observer>
void observe_receive(Observer& observer, std::size_t bytes) {
  if constexpr (requires { observer.on_receive(bytes); }) observer.on_receive(bytes);
}

template <class Observer>
void observe_conflated(Observer& observer, std::size_t messages) {
  if constexpr (requires { observer.on_conflated(messages); }) observer.on_conflated(messages);
}

template <class Observer>
void observe_unexpected(Observer& observer, std::string_view type, std::uint16_t tag,
                        std::size_t bytes) {
  if constexpr (requires { observer.on_unexpected(type, tag, bytes); }) {
    observer.on_unexpected(type, tag, bytes);
  }
}

template <class Observer>
void observe_schema_mismatch(Observer& observer, std::string_view type, std::uint16_t tag) {
  if constexpr (requires { observer.on_schema_mismatch(type, tag); }) {
    observer.on_schema_mismatch(type, tag);
  }
}

template <class Observer>
void observe_refused(Observer& observer, std::error_code why, const PeerCredentials& credentials) {
  if constexpr (requires { observer.on_refused(why, credentials); })
    observer.on_refused(why, credentials);
}

}  // namespace detail
}  // namespace strait
