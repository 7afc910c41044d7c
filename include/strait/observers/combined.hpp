#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "strait/observer.hpp"
#include "strait/peer.hpp"

namespace strait {

/// Several observers as one: each hears what it has a hook for, in their order, and what none of
/// them has costs nothing.
///
///     using Link = Channel<MachTransport<>, Messages, ChannelOptions{},
///                          Observers<LogObserver, TraceObserver>>;
///     auto link = Link::connect(name, token, 1s, {LogObserver(), trace});
///     link->observer().get<TraceObserver>();
template <class... Each>
class Observers {
 public:
  Observers() = default;
  Observers(Each... each) requires(sizeof...(Each) != 0) : observers_(std::move(each)...) {}

  /// The one of this type.
  template <class One>
  One& get() noexcept {
    static_assert((std::same_as<One, Each> || ...), "strait: this is none of these observers.");
    return std::get<One>(observers_);
  }

  // A hook is there if one of them has it.

  void on_name(std::string_view name) requires(detail::HearsName<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsName<One>) one.on_name(name);
    });
  }
  void on_connected(const Peer& peer) requires(detail::HearsConnected<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsConnected<One>) one.on_connected(peer);
    });
  }
  void on_client(ClientId client) requires(detail::HearsClient<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsClient<One>) one.on_client(client);
    });
  }
  void on_ended(const ChannelEnd& end) requires(detail::HearsEnd<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsEnd<One>) one.on_ended(end);
    });
  }
  void on_refused(std::error_code why,
                  const PeerCredentials& client) requires(detail::HearsRefused<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsRefused<One>) one.on_refused(why, client);
    });
  }
  void on_schema_mismatch(std::string_view type,
                          std::uint16_t tag) requires(detail::HearsMismatch<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsMismatch<One>) one.on_schema_mismatch(type, tag);
    });
  }
  void on_send(std::size_t bytes) requires(detail::HearsSend<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsSend<One>) one.on_send(bytes);
    });
  }
  void on_send(std::string_view type, std::uint16_t tag,
               std::size_t bytes) requires(detail::HearsTypedSend<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsTypedSend<One>) one.on_send(type, tag, bytes);
    });
  }
  void on_sent_bytes(std::uint16_t tag,
                     std::span<const std::byte> message) requires(detail::HearsSentBytes<Each> ||
                                                                  ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsSentBytes<One>) one.on_sent_bytes(tag, message);
    });
  }
  void on_send_failed(std::error_code why, std::string_view type, std::uint16_t tag,
                      std::size_t bytes) requires(detail::HearsFailedSend<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsFailedSend<One>) one.on_send_failed(why, type, tag, bytes);
    });
  }
  void on_conflated(std::size_t messages) requires(detail::HearsConflated<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsConflated<One>) one.on_conflated(messages);
    });
  }
  void on_receive(std::size_t bytes) requires(detail::HearsReceive<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsReceive<One>) one.on_receive(bytes);
    });
  }
  void on_receive(std::string_view type, std::uint16_t tag,
                  std::size_t bytes) requires(detail::HearsTypedReceive<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsTypedReceive<One>) one.on_receive(type, tag, bytes);
    });
  }
  void on_received_bytes(std::uint16_t tag, std::span<const std::byte> message) requires(
      detail::HearsReceivedBytes<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsReceivedBytes<One>) one.on_received_bytes(tag, message);
    });
  }
  void on_unexpected(std::string_view type, std::uint16_t tag,
                     std::size_t bytes) requires(detail::HearsUnexpected<Each> || ...) {
    each([&]<class One>(One& one) {
      if constexpr (detail::HearsUnexpected<One>) one.on_unexpected(type, tag, bytes);
    });
  }

 private:
  template <class Tell>
  void each(Tell tell) {
    (tell(std::get<Each>(observers_)), ...);
  }

  [[no_unique_address]] std::tuple<Each...> observers_;
};

}  // namespace strait
