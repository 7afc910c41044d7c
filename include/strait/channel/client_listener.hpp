#pragma once

#include <concepts>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/calls/frame.hpp"
#include "strait/peer.hpp"
#include "strait/redelivery/frame.hpp"

namespace strait::detail {

/// For what an acceptor's listener would take if it were a channel's: refused, not passed over at
/// run time.
template <class Listener, class ChannelT, class... Arguments>
constexpr void lacks_client() {
  static_assert(std::invocable<Listener&, ChannelT&, Arguments...>,
                "strait: an acceptor's listener takes the client's channel before the message: "
                "(Link&, const Message&), or (Link&, const Message&, strait::Rights).");
}

/// A channel's listener, made of an acceptor's and the channel: takes with a channel in front what
/// that one takes, a message alone or with rights, in place or in a buffer to keep.
template <class ChannelT, class Listener>
struct ListenerOf {
  static constexpr bool takes_calls = TakesCalls<Listener>;
  static constexpr bool takes_frames = TakesFrames<Listener>;

  ChannelT& channel;
  Listener& listener;

  template <class... Arguments>
    requires std::invocable<Listener&, ChannelT&, Arguments...>
  void operator()(Arguments&&... arguments) {
    listener(channel, std::forward<Arguments>(arguments)...);
  }
  template <class... Arguments>
    requires(!std::invocable<Listener&, ChannelT&, Arguments...> &&
             std::invocable<Listener&, Arguments...>)
  void operator()(Arguments&&...) { lacks_client<Listener, ChannelT, Arguments...>(); }
  void on_connected(const Peer&) requires requires { listener.on_connected(channel); }
  { listener.on_connected(channel); }
};

/// Refuses hooks that would never be called, where they are neither overloaded nor templates.
template <class ChannelT, class Listener>
consteval bool check_client_hooks() {
  using Plain = std::remove_cvref_t<Listener>;
  if constexpr (requires { &Plain::on_connected; }) {
    static_assert(
        requires(Listener & listener, ChannelT & client) { listener.on_connected(client); },
        "strait: an acceptor's listener has on_connected(Link&), with the client's channel.");
  }
  if constexpr (requires { &Plain::on_closed; }) {
    static_assert(
        requires(Listener & listener, ChannelT & client, std::error_code why) {
          listener.on_closed(client, why);
        },
        "strait: an acceptor's listener has on_closed(Link&, std::error_code), with the client's "
        "channel.");
  }
  return true;
}

}  // namespace strait::detail
