#pragma once

#include <concepts>
#include <utility>

#include "strait/calls/frame.hpp"
#include "strait/peer.hpp"
#include "strait/redelivery/frame.hpp"

namespace strait::detail {

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
  /// Taken instead of passing such a message over at run time.
  template <class... Arguments>
    requires(!std::invocable<Listener&, ChannelT&, Arguments...> &&
             std::invocable<Listener&, Arguments...>)
  void operator()(Arguments&&...) {
    static_assert(std::invocable<Listener&, ChannelT&, Arguments...>,
                  "strait: an acceptor's listener takes the client's channel before the message: "
                  "(Link&, const Message&), or (Link&, const Message&, strait::Rights).");
  }
  void on_connected(const Peer&) requires requires { listener.on_connected(channel); }
  { listener.on_connected(channel); }
};

}  // namespace strait::detail
