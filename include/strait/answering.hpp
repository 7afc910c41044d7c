#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "strait/acceptor.hpp"
#include "strait/caller.hpp"
#include "strait/calls/frame.hpp"
#include "strait/channel/client_listener.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializers/calls.hpp"

namespace strait {

namespace detail {

/// Where replies go: to a channel, or to a client of an acceptor, as long as that has it.
template <class Source>
struct ReplyTarget {
  Source* channel;
  Source* find() const { return channel; }
};
/// To a channel that connects again, as long as the connection lasts: another server, or the same
/// one at the next time, has asked nothing.
template <class Source>
  requires requires(const Source& source) { source.connection(); }
struct ReplyTarget<Source> {
  Source* channel;
  std::uint64_t connection = channel->connection();

  ReplyTarget now() const { return {channel}; }
  Source* find() const { return channel->connection() == connection ? channel : nullptr; }
};
template <class ChannelT, AcceptorOptions options>
struct ReplyTarget<Acceptor<ChannelT, options>> {
  Acceptor<ChannelT, options>* acceptor;
  ClientId id;
  ChannelT* find() const { return acceptor->find(id); }
};

/// A `std::variant`, without its header.
template <class T>
concept Variant = requires(const T& value) {
  value.valueless_by_exception();
  visit([](const auto&) {}, value);
};

template <class Handlers>
class Answering;

}  // namespace detail

/// What a listener owes to a call that has come over `Source`, a channel or an acceptor. It may be
/// moved away and used later; its source outlives it, and is not moved meanwhile. When it is
/// destroyed, or assigned to, with no last reply sent, the caller hears that it is `unanswered`.
///
/// Ownership: the right to reply. Threads: those of the channel.
template <class Source>
class Reply {
  using Target = detail::ReplyTarget<Source>;

 public:
  Reply() = default;
  Reply(Reply&& other) noexcept
      : target_(std::exchange(other.target_, std::nullopt)), id_(other.id_) {}
  Reply& operator=(Reply&& other) noexcept {
    drop();
    target_ = std::exchange(other.target_, std::nullopt);
    id_ = other.id_;
    return *this;
  }
  ~Reply() { drop(); }

  /// Whether a reply is still owed.
  explicit operator bool() const { return target_.has_value(); }

  /// The last reply, or the only one. After an error it is still owed, and can be tried again.
  ///
  /// Errors: those of `Channel::send`; `peer_closed` if the client is gone; `closed` if nothing is
  /// owed. Blocking: never.
  template <class Message>
  Result<void> send(const Message& message) {
    auto sent = send_as(detail::CallKind::reply, message);
    if (sent) target_.reset();
    return sent;
  }
  /// The same with rights, which are gone from `rights` exactly when this succeeds.
  template <class Message>
  Result<void> send(const Message& message, Rights&& rights) {
    auto sent = send_as(detail::CallKind::reply, message, std::move(rights));
    if (sent) target_.reset();
    return sent;
  }

  /// One of a stream of replies, for a call that was made by `Caller::stream`. Errors: as above.
  template <class Message>
  Result<void> part(const Message& message) {
    return send_as(detail::CallKind::part, message);
  }

 private:
  template <class Handlers>
  friend class detail::Answering;

  Reply(Target target, CallId id) : target_(std::move(target)), id_(id) {}

  template <class Message, class... List>
  Result<void> send_as(detail::CallKind kind, const Message& message, List&&... rights) {
    if (!target_) return Errc::closed;
    const auto channel = target_->find();
    if (!channel) return Errc::peer_closed;
    return channel->send(detail::OutgoingCall<Message>{message, {kind, id_}},
                         std::forward<List>(rights)...);
  }

  void drop() {
    if (!target_) return;
    static_cast<void>(send_as(detail::CallKind::unanswered, detail::Nothing()));
    target_.reset();
  }

  std::optional<Target> target_;
  CallId id_{};
};

namespace detail {

/// Whether a listener takes a call, behind what it takes in front of the message.
template <class Handlers, class ReplyTo, class Message, class... Before>
concept Answers = std::invocable<Handlers&, Before..., Message, ReplyTo> ||
    std::invocable<Handlers&, Before..., Message, Rights, ReplyTo> ||
    std::invocable<Handlers&, Before..., Message, Rights> ||
    std::invocable<Handlers&, Before..., Message>;

/// Answers calls by what a program's listener returns, or with what it does with a `Reply`.
template <class Handlers>
class Answering {
 public:
  explicit Answering(Handlers handlers) : handlers_(std::move(handlers)) {}

 protected:
  /// `before`: what the listener takes in front of the message.
  template <class Messages, class Source, class... Before>
  void answer(const IncomingCall& in, Rights& rights, ReplyTarget<Source> target,
              Before&... before) {
    if (in.trailer.kind != CallKind::call) {
      in.result = Errc::malformed;  // a reply, where nothing was asked
      return;
    }
    Reply<Source> reply(std::move(target), in.trailer.id);
    Sink<Source, Before...> sink{handlers_, reply, rights, std::tie(before...)};
    in.result = Messages::read(in.tag, in.bytes, sink);
  }

  Handlers handlers_;

 private:
  template <class Source, class... Before>
  struct Sink {
    Handlers& handlers;
    Reply<Source>& reply;
    Rights& rights;
    std::tuple<Before&...> before;

    template <class Message>
    requires Answers<Handlers, Reply<Source>, Message, Before&...> void operator()(
        Message&& message) {
      std::apply([&](Before&... first) { call(std::forward<Message>(message), first...); }, before);
    }
    template <class Message>
      requires(!Answers<Handlers, Reply<Source>, Message, Before&...> &&
               Answers<Handlers, Reply<Source>, Message>)
    void operator()(Message&&) { lacks_client<Handlers, Before..., Message>(); }

   private:
    template <class Message>
    void call(Message&& message, Before&... first) {
      if constexpr (std::invocable<Handlers&, Before&..., Message, Reply<Source>>) {
        handlers(first..., std::forward<Message>(message), std::move(reply));
      } else if constexpr (std::invocable<Handlers&, Before&..., Message, Rights, Reply<Source>>) {
        handlers(first..., std::forward<Message>(message), std::move(rights), std::move(reply));
      } else if constexpr (std::invocable<Handlers&, Before&..., Message, Rights>) {
        call_and_send(first..., std::forward<Message>(message), std::move(rights));
      } else {
        call_and_send(first..., std::forward<Message>(message));
      }
    }
    template <class... Arguments>
    void call_and_send(Arguments&&... arguments) {
      if constexpr (std::is_void_v<std::invoke_result_t<Handlers&, Arguments...>>) {
        handlers(std::forward<Arguments>(arguments)...);
      } else {
        send(handlers(std::forward<Arguments>(arguments)...));
      }
    }
    template <class Answer>
    void send(const Answer& answer) {
      if constexpr (Variant<Answer>) {
        visit([&](const auto& one) { static_cast<void>(reply.send(one)); }, answer);
      } else {
        static_cast<void>(reply.send(answer));
      }
    }
  };
};

/// Whether a listener takes a message that is no call. Where it would reply to one, it gets a
/// `Reply` that is owed to nobody.
template <class Handlers, class ReplyTo, class... Arguments>
concept Hears =
    std::invocable<Handlers&, Arguments..., ReplyTo> || std::invocable<Handlers&, Arguments...>;
template <class Handlers, class ReplyTo, class... Arguments>
concept HearsWithRights =
    !Hears<Handlers, ReplyTo, Arguments...> && Hears<Handlers, ReplyTo, Arguments..., Rights>;

template <class ReplyTo, class Handlers, class... Arguments>
void hear(Handlers& handlers, Arguments&&... arguments) {
  if constexpr (std::invocable<Handlers&, Arguments..., ReplyTo>) {
    handlers(std::forward<Arguments>(arguments)..., ReplyTo());
  } else {
    static_cast<void>(handlers(std::forward<Arguments>(arguments)...));
  }
}

/// Over one channel, of which `Source` is the owner that replies go to.
template <class Source, class Messages, class Handlers>
class ChannelAnswering : public Answering<Handlers> {
  using ReplyTo = Reply<Source>;

 public:
  static constexpr bool takes_calls = true;

  ChannelAnswering(ReplyTarget<Source> target, Handlers handlers)
      : Answering<Handlers>(std::move(handlers)), target_(std::move(target)) {}

  void operator()(IncomingCall in, Rights rights = {}) {
    if constexpr (requires { target_.now(); }) {
      this->template answer<Messages>(in, rights, target_.now());
    } else {
      this->template answer<Messages>(in, rights, target_);
    }
  }
  template <class Message>
    requires Hears<Handlers, ReplyTo, Message>
  void operator()(Message&& message) {
    hear<ReplyTo>(this->handlers_, std::forward<Message>(message));
  }
  template <class Message>
    requires HearsWithRights<Handlers, ReplyTo, Message>
  void operator()(Message&& message, Rights rights) {
    hear<ReplyTo>(this->handlers_, std::forward<Message>(message), std::move(rights));
  }
  void on_connected(const Peer& peer) requires requires(Handlers& handlers) {
    handlers.on_connected(peer);
  }
  { this->handlers_.on_connected(peer); }
  void on_closed(std::error_code why) requires requires(Handlers& handlers) {
    handlers.on_closed(why);
  }
  { this->handlers_.on_closed(why); }
  template <class LinkT>
  void on_up(LinkT& link) requires requires(Handlers& handlers) {
    handlers.on_up(link);
  }
  { this->handlers_.on_up(link); }
  void on_down(std::error_code why) requires requires(Handlers& handlers) { handlers.on_down(why); }
  { this->handlers_.on_down(why); }

 protected:
  ReplyTarget<Source> target_;
};

template <class AcceptorT, class Handlers>
class AcceptorAnswering : public Answering<Handlers> {
  using Client = typename AcceptorT::channel_type;
  using ReplyTo = Reply<AcceptorT>;

 public:
  static constexpr bool takes_calls = true;

  AcceptorAnswering(AcceptorT& acceptor, Handlers handlers)
      : Answering<Handlers>(std::move(handlers)), acceptor_(&acceptor) {}

  void operator()(Client& client, IncomingCall in, Rights rights = {}) {
    this->template answer<typename Client::serializer::Messages>(
        in, rights, ReplyTarget<AcceptorT>{acceptor_, acceptor_->id(client)}, client);
  }
  template <class Message>
    requires Hears<Handlers, ReplyTo, Client&, Message>
  void operator()(Client& client, Message&& message) {
    hear<ReplyTo>(this->handlers_, client, std::forward<Message>(message));
  }
  template <class Message>
    requires HearsWithRights<Handlers, ReplyTo, Client&, Message>
  void operator()(Client& client, Message&& message, Rights rights) {
    hear<ReplyTo>(this->handlers_, client, std::forward<Message>(message), std::move(rights));
  }
  void on_connected(Client& client) requires requires(Handlers& handlers) {
    handlers.on_connected(client);
  }
  { this->handlers_.on_connected(client); }
  void on_closed(Client& client, std::error_code why) requires requires(Handlers& handlers) {
    handlers.on_closed(client, why);
  }
  { this->handlers_.on_closed(client, why); }

 private:
  AcceptorT* acceptor_;
};

}  // namespace detail

/// Makes of a listener one that answers calls, for the `poll`, `wait` and `run` of a channel with a
/// `Calls` serializer, of its `Caller`, or of an acceptor. What the listener returns for a message
/// that is a call is the reply: a message, or a `std::variant` of some.
///
///     link.run(strait::answering(link, [](const Add& add) { return Sum{add.a + add.b}; }));
///
/// A callable that takes a second argument, `auto reply`, a `Reply`, answers with that, now or
/// later. One that returns nothing and takes no `Reply` leaves the call `unanswered`. An acceptor's
/// listener has the client's channel in front, as ever.
///
/// Messages that are no calls are heard by the same callables; what these return is of no use then.
///
/// A reply that finds the channel's queue full is not sent, and the call is `unanswered` or timed
/// out; with a `Reply` one can try again. Rights that come with a call are a second argument,
/// `Rights`, of a callable that takes them, in front of the `Reply`; else they are closed.
template <class ChannelT, class Handlers>
  requires requires { typename ChannelT::serializer; }
auto answering(ChannelT& channel, Handlers handlers) {
  using Messages = typename ChannelT::serializer::Messages;
  return detail::ChannelAnswering<ChannelT, Messages, Handlers>(
      detail::ReplyTarget<ChannelT>{&channel}, std::move(handlers));
}
template <class ChannelT, class Handlers>
auto answering(Caller<ChannelT>& caller, Handlers handlers) {
  return answering(caller.channel(), std::move(handlers));
}
template <class ChannelT, AcceptorOptions options, class Handlers>
auto answering(Acceptor<ChannelT, options>& acceptor, Handlers handlers) {
  static_assert(detail::check_client_hooks<ChannelT, Handlers>());
  return detail::AcceptorAnswering<Acceptor<ChannelT, options>, Handlers>(acceptor,
                                                                          std::move(handlers));
}

}  // namespace strait
