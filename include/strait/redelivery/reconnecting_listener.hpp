#pragma once

#include <concepts>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/calls/frame.hpp"
#include "strait/peer.hpp"
#include "strait/redelivery/frame.hpp"

namespace strait::detail {

/// A reconnecting client's listener as its channel calls it.
template <class ClientT, class Listener>
struct ReconnectingListener {
  static constexpr bool takes_frames = ClientT::redelivers;
  static constexpr bool takes_calls = TakesCalls<Listener>;
  static constexpr bool takes_calls_alone = TakesCallsAlone<Listener>;

  ClientT& client;
  Listener& listener;

  void on_connected(const Peer&) { client.connected(listener); }
  void operator()(IncomingFrame in) requires(ClientT::redelivers) {
    in.result = client.take(in, listener);
  }
  template <class... Arguments>
    requires(are_messages<Arguments...>&& std::invocable<Listener&, Arguments...>)
  void operator()(Arguments&&... arguments) { listener(std::forward<Arguments>(arguments)...); }
};

/// Refuses hooks that would never be called, where they are neither overloaded nor templates.
template <class ChannelT, class Listener>
consteval bool check_reconnecting_hooks() {
  using Plain = std::remove_cvref_t<Listener>;
  if constexpr (requires { &Plain::on_up; }) {
    static_assert(
        requires(Listener & listener, ChannelT & link) { listener.on_up(link); },
        "strait: a reconnecting client's listener has on_up(Link&).");
  }
  if constexpr (requires { &Plain::on_down; }) {
    static_assert(
        requires(Listener & listener, std::error_code why) { listener.on_down(why); },
        "strait: a reconnecting client's listener has on_down(std::error_code).");
  }
  return true;
}

}  // namespace strait::detail
