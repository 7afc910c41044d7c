#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <tuple>
#include <utility>

#include "strait/acceptor.hpp"
#include "strait/channel/client_listener.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/peer.hpp"
#include "strait/redelivery/frame.hpp"
#include "strait/result.hpp"
#include "strait/serializers/acknowledged.hpp"
#include "strait/transport.hpp"

namespace strait {

/// How far a server is with each client that sends again: one object is one instance of the server,
/// to which no client sends a message twice. A server that frees its name and claims it anew in the
/// same process goes on with the same object.
///
/// It remembers clients that are gone, since they may come again; beyond `max_sessions` it forgets
/// the oldest of them. One that is forgotten and comes again learns so, and does not repeat what
/// it can't know of: see `Redeliver`.
///
/// Threads: one at a time.
class Sessions {
 public:
  static constexpr std::size_t default_max_sessions = 4096;

  /// Errors: the system's.
  static Result<Sessions> create(std::size_t max_sessions = default_max_sessions) {
    const auto instance = detail::random_id();
    if (!instance) return instance.error();
    Sessions sessions;
    sessions.instance_ = *instance;
    sessions.max_sessions_ = max_sessions;
    return sessions;
  }

  Sessions(Sessions&&) noexcept = default;
  Sessions& operator=(Sessions&&) noexcept = default;

  // For the library's own parts. A connection is an address that it has until it is closed.

  void connected(const void* connection) { connections_.erase(connection); }
  void closed(const void* connection) { connections_.erase(connection); }

  /// What a client's `hello` is answered. Errors: `malformed`.
  Result<detail::ControlFrame> greet(const void* connection, const detail::IncomingFrame& in) {
    const auto hello = detail::content_of<detail::SessionHello>(in.bytes);
    if (!hello) return hello.error();
    const std::uint64_t first = in.trailer.number;
    if (first == 0 || hello->session == 0 || hello->sent > detail::max_message_number ||
        connections_.contains(connection)) {
      return Errc::malformed;
    }
    auto kind = detail::FrameKind::welcome;
    std::uint64_t last = first - 1;
    auto found = sessions_.find(hello->session);
    if (found == sessions_.end()) {
      if (hello->instance == instance_ && hello->sent >= first) {
        kind = detail::FrameKind::forgotten;
        last = hello->sent;
      }
      make_room();
      found = sessions_.emplace(hello->session, std::make_shared<std::uint64_t>(0)).first;
      by_age_.push_back(hello->session);
    }
    std::uint64_t& handled = *found->second;
    // What the client keeps no more another instance has acknowledged.
    if (handled < last) handled = last;
    connections_[connection] = found->second;
    return detail::ControlFrame(kind, handled, instance_);
  }

  /// Whether a message is to be handled, which then counts as done; or it was before.
  ///
  /// Errors: `malformed`.
  Result<bool> count(const void* connection, std::uint64_t number) {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) return Errc::malformed;
    std::uint64_t& handled = *found->second;
    if (number == 0 || number > handled + 1) return Errc::malformed;
    if (number <= handled) return false;  // it came over an earlier connection, too
    handled = number;
    return true;
  }

 private:
  Sessions() = default;

  /// Those that are connected are forgotten last.
  void make_room() {
    for (std::size_t looks = by_age_.size(); sessions_.size() >= max_sessions_ && looks != 0;) {
      const std::uint64_t oldest = by_age_.front();
      by_age_.pop_front();
      const auto session = sessions_.find(oldest);
      if (--looks != 0 && session->second.use_count() > 1) {
        by_age_.push_back(oldest);
      } else {
        sessions_.erase(session);
      }
    }
  }

  std::uint64_t instance_ = 0;
  std::size_t max_sessions_ = default_max_sessions;
  /// The last number that was handled of each.
  std::map<std::uint64_t, std::shared_ptr<std::uint64_t>> sessions_;
  std::deque<std::uint64_t> by_age_;
  std::map<const void*, std::shared_ptr<std::uint64_t>> connections_;
};

namespace detail {

/// Handles what has a number once, and acknowledges it.
template <class ChannelT, class Handlers>
class Acknowledging {
  static_assert(
      acknowledges<typename ChannelT::serializer>,
      "strait: what is acknowledged comes over a channel with an Acknowledged serializer, "
      "such as Acknowledged<TrivialSerializer<Entry>>.");
  using Messages = typename ChannelT::serializer::Messages;

 public:
  static constexpr bool takes_frames = true;

  Acknowledging(Sessions& sessions, Handlers handlers)
      : sessions_(&sessions), handlers_(std::move(handlers)) {}

 protected:
  /// `before`: what the listener takes in front of the message.
  template <class... Before>
  Result<void> take(ChannelT& channel, const IncomingFrame& in, Before&... before) {
    if (in.trailer.kind == FrameKind::hello) {
      const auto answer = sessions_->greet(&channel, in);
      return answer ? unless_gone(channel.send(answer->frame())) : answer.error();
    }
    if (in.trailer.kind != FrameKind::numbered) return Errc::malformed;
    const auto fresh = sessions_->count(&channel, in.trailer.number);
    if (!fresh) return fresh.error();
    Result<void> read;
    if (*fresh) {
      Sink<Before...> sink{handlers_, std::tie(before...)};
      constexpr bool carries_rights = CarriesRights<typename ChannelT::transport>;
      read = deliver<Messages, carries_rights>(sink, Incoming{in.tag, in.bytes});
      if (read.failed_with(Errc::malformed)) return read;
    }
    const ControlFrame acknowledgement(FrameKind::acknowledgement, in.trailer.number);
    const auto sent = channel.send(acknowledgement.frame());
    return read ? unless_gone(sent) : read;
  }

  Sessions* sessions_;
  Handlers handlers_;

 private:
  template <class... Before>
  struct Sink {
    Handlers& handlers;
    std::tuple<Before&...> before;

    template <class... Arguments>
      requires std::invocable<Handlers&, Before&..., Arguments...>
    void operator()(Arguments&&... arguments) {
      std::apply(
          [&](Before&... first) {
            static_cast<void>(handlers(first..., std::forward<Arguments>(arguments)...));
          },
          before);
    }
    template <class... Arguments>
      requires(sizeof...(Before) != 0 && !std::invocable<Handlers&, Before&..., Arguments...> &&
               std::invocable<Handlers&, Arguments...>)
    void operator()(Arguments&&...) { lacks_client<Handlers, Before..., Arguments...>(); }
  };

  /// What a client has sent before it went is handled.
  static Result<void> unless_gone(Result<void> sent) {
    return sent.failed_with(Errc::peer_closed) ? Result<void>() : sent;
  }
};

template <class ChannelT, class Handlers>
struct ChannelAcknowledging : Acknowledging<ChannelT, Handlers> {
  ChannelAcknowledging(ChannelT& source, Sessions& sessions, Handlers handlers)
      : Acknowledging<ChannelT, Handlers>(sessions, std::move(handlers)), channel(&source) {}

  void operator()(IncomingFrame in) { in.result = this->take(*channel, in); }
  template <class... Arguments>
    requires(are_messages<Arguments...>&& std::invocable<Handlers&, Arguments...>)
  void operator()(Arguments&&... arguments) {
    static_cast<void>(this->handlers_(std::forward<Arguments>(arguments)...));
  }
  void on_connected(const Peer& peer) {
    this->sessions_->connected(channel);
    if constexpr (requires { this->handlers_.on_connected(peer); }) {
      this->handlers_.on_connected(peer);
    }
  }

  ChannelT* channel;
};

template <class ChannelT, class Handlers>
struct ClientAcknowledging : Acknowledging<ChannelT, Handlers> {
  using Acknowledging<ChannelT, Handlers>::Acknowledging;

  void operator()(ChannelT& client, IncomingFrame in) {
    in.result = this->take(client, in, client);
  }
  /// A template of its first argument, too, or a generic listener would be asked about others.
  template <class Client, class... Arguments>
    requires(std::same_as<Client, ChannelT>&& are_messages<Arguments...>&&
                 std::invocable<Handlers&, Client&, Arguments...>)
  void operator()(Client& client, Arguments&&... arguments) {
    static_cast<void>(this->handlers_(client, std::forward<Arguments>(arguments)...));
  }
  void on_connected(ChannelT& client) {
    this->sessions_->connected(&client);
    if constexpr (requires { this->handlers_.on_connected(client); }) {
      this->handlers_.on_connected(client);
    }
  }
  void on_closed(ChannelT& client, std::error_code why) {
    this->sessions_->closed(&client);
    if constexpr (requires { this->handlers_.on_closed(client, why); }) {
      this->handlers_.on_closed(client, why);
    }
  }
};

}  // namespace detail

/// Makes of a listener one that acknowledges what `Reconnecting` clients with `Redeliver` have
/// sent, for the `poll`, `wait` and `run` of an acceptor, or of a channel, with an `Acknowledged`
/// serializer.
///
///     auto sessions = strait::Sessions::create().value();
///     server.run(strait::acknowledging(server, sessions, [](Link&, const Entry& entry) { ... }));
///
/// A message is acknowledged when its callable has returned; what has to outlast this process must
/// be safe by then. A client that leaves so many acknowledgements unread that its channel's queue
/// is full is closed, and learns the rest when it comes again.
///
/// Not for clients that were handed over from another acceptor, whose session began there: they are
/// `malformed`.
template <class ChannelT, class Handlers>
  requires requires { typename ChannelT::serializer; }
auto acknowledging(ChannelT& channel, Sessions& sessions, Handlers handlers) {
  return detail::ChannelAcknowledging<ChannelT, Handlers>(channel, sessions, std::move(handlers));
}
template <class ChannelT, AcceptorOptions options, class Handlers>
auto acknowledging(Acceptor<ChannelT, options>&, Sessions& sessions, Handlers handlers) {
  static_assert(detail::check_client_hooks<ChannelT, Handlers>());
  return detail::ClientAcknowledging<ChannelT, Handlers>(sessions, std::move(handlers));
}

}  // namespace strait
