#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "strait/acceptor_options.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/channel.hpp"
#include "strait/channel/client_listener.hpp"
#include "strait/channel/fan_out.hpp"
#include "strait/channel/observing.hpp"
#include "strait/channel/stop_request.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/server.hpp"
#include "strait/handshake/withdraw.hpp"
#include "strait/observer.hpp"
#include "strait/os/activated_socket.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"

namespace strait {

/// One name, many clients with the same token, each with a channel of its own.
///
/// A listener is anything that can be called with a client's channel and a message:
///
///     server.run([](Link& client, const Request& request) { client.send(Reply{request.id}); });
///
/// Behind the channel it takes all that a channel's listener takes: `(Link&, OutOfLine<Frame>)`,
/// `(Link&, const Request&, Rights)`.
///
/// It may also have `on_connected(Link&)`, called once before a client's first message, and
/// `on_closed(Link&, std::error_code)`, called once when the client's channel has ended, after all
/// that it had sent. Between the two a channel stays where it is; `id` says which client it is. A
/// listener may send to, and close, any client's channel. A client that breaks the rules,
/// or sends a message that the listener has no callable for, is closed; the others do not notice.
///
/// While the system has no descriptor or no memory left, clients wait to be let in or are
/// `refused`, the observer hears of the latter, and those that are there are served on.
///
/// Threads: one at a time. Do not move or destroy it inside its own listener.
template <class ChannelT, AcceptorOptions options>
class Acceptor {
  using TransportT = typename ChannelT::transport;
  using ObserverT = typename ChannelT::observer_type;

 public:
  using channel_type = ChannelT;

  /// Claims a name. Each client's channel gets a copy of the observer.
  ///
  /// Errors: `invalid_name`, `name_taken`, `permission_denied`, the system's. Blocking: never.
  [[nodiscard]] static Result<Acceptor> listen(detail::NameOf<TransportT> name, const Token& token,
                                               ObserverT observer = {}) {
    detail::observe_name(observer, name);
    return listen_at(name, token, std::move(observer));
  }

  /// The same at a socket that a service manager has made, as `Channel::listen`.
  [[nodiscard]] static Result<Acceptor> listen(ActivatedSocket socket, const Token& token,
                                               ObserverT observer = {}) {
    static_assert(detail::check_activatable<TransportT>());
    return listen_at(std::move(socket), token, std::move(observer));
  }

  /// One without a name, on another thread for instance, for clients that another acceptor has let
  /// in: see `release` and `adopt`.
  ///
  /// Errors: the system's. Blocking: never.
  [[nodiscard]] static Result<Acceptor> create(ObserverT observer = {}) {
    auto set = os::wait_set_with_signal();
    if (!set) return set.error();
    return Acceptor(std::move(*set), std::move(observer));
  }

  Acceptor(Acceptor&&) noexcept = default;
  Acceptor& operator=(Acceptor&&) noexcept = default;

  /// Lets in clients that wait and handles what clients have sent, a fair share of each. Returns
  /// how many times the listener was called: 0 when nothing is there.
  ///
  /// Errors: `closed`; `busy` from inside a listener; the system's. Blocking: never.
  template <class Listener>
  Result<std::size_t> poll(Listener&& listener) {
    if (listening_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    return poll_on(listener);
  }

  /// As `poll`, but waits for the first call of the listener. 0 when the time is up.
  ///
  /// Blocking: up to `duration`. It sleeps at once, whatever the transport's wait policy says.
  template <class Listener, class Rep, class Period>
  Result<std::size_t> wait(Listener&& listener, std::chrono::duration<Rep, Period> duration) {
    if (listening_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    return wait_until(listener, detail::Deadline::after(duration));
  }

  /// Serves until `stop`, `close` or an error of the system's. Blocking: until then.
  template <class Listener>
  Result<void> run(Listener&& listener) {
    if (listening_) return Errc::busy;
    const detail::StopTaken stop_taken(stop_);
    while (!stop_.raised()) {
      const auto handled = wait_until(listener, detail::Deadline::never());
      if (!handled) return handled.error() == Errc::closed ? Result<void>() : handled.error();
    }
    return {};
  }

  /// As `Channel::stop`.
  void stop() noexcept {
    stop_.raise();
    set_.interrupt();
  }

  /// Frees the name and closes every client's channel, without `on_closed`.
  void close() noexcept {
    if (listening_) {
      closing_ = true;
    } else {
      clients_.clear();
      handles_.clear();
      detail::withdraw(server_);
      open_ = false;
    }
  }

  /// One descriptor for everything: when it is readable, call `poll`, once, also in an
  /// edge-triggered loop: see `Channel::native_handle`. Ownership: the acceptor's.
  HandleResult native_handle() const noexcept { return set_.native_handle(); }

  /// How many clients are there.
  std::size_t size() const noexcept { return clients_.size(); }

  /// Calls `visit(ChannelT&)` for each client.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [fd, client] : clients_) visit(client.channel);
  }

  /// Sends the same to each client, and returns how many have taken it. Another one's queue is
  /// full, or its channel is about to end. The message is serialized once, and what goes out of
  /// line lies in one memory, which each client maps. Blocking: never.
  template <class Message>
  std::size_t send_all(const Message& message) {
    return fan_out_.send(*this, message);
  }

  /// A buffer for `send_all`, or for `send` over each channel: as `Channel::out_of_line_bytes`, but
  /// what is lent is lent to all, for reading alone. While it is read, `writable` copies.
  Result<OutOfLineBytes> out_of_line_bytes(std::size_t bytes) {
    return fan_out_.make_buffer(*this, bytes);
  }
  template <class T>
  Result<OutOfLine<T>> out_of_line() {
    return fan_out_.template make_typed<T>(*this);
  }

  /// The id of a client that is there, or that `on_closed` tells of.
  ClientId id(ChannelT& client) const { return clients_.at(client.native_handle().value()).id; }

  /// The client of an id; null when it is gone. For answers that come late.
  ChannelT* find(ClientId id) noexcept {
    const auto handle = handles_.find(id);
    return handle == handles_.end() ? nullptr : &clients_.at(handle->second).channel;
  }

  /// Gives a client away, with all that it has sent and that was not handled: to a `ChannelProxy`,
  /// or to another acceptor's `adopt`, on another thread, too. `on_closed` does not tell of it.
  ///
  /// Errors: `busy` from inside a listener, which may note the id and `stop`; `peer_closed` if it
  /// is gone.
  Result<ChannelT> release(ClientId id) {
    if (listening_) return Errc::busy;
    const auto handle = handles_.find(id);
    if (handle == handles_.end()) return Errc::peer_closed;
    set_.forget(handle->second);
    ChannelT channel = std::move(clients_.at(handle->second).channel);
    clients_.erase(handle->second);
    handles_.erase(handle);
    fan_out_.renew_buffers();
    return channel;
  }

  /// Serves a channel that is connected already, beside those that came by the name and whatever
  /// their number. `on_connected` tells of it unless another listener was told.
  ///
  /// Errors: the system's, and the channel is closed then.
  Result<ClientId> adopt(ChannelT channel) {
    const auto added = add(std::move(channel));
    if (!added) return added.error();
    // What has come before it was watched is looked at now.
    if (auto woken = set_.renew(); !woken) return woken.error();
    return (*added)->second.id;
  }

  ObserverT& observer() noexcept { return observer_; }

 private:
  struct Client {
    ClientId id;
    ChannelT channel;
  };
  /// By the descriptor that says when to poll one.
  using Clients = std::map<NativeHandle, Client>;

  /// How many clients are accepted or refused in one `poll`: a long backlog does not keep those
  /// waiting that are in.
  static constexpr int max_handshakes = 64;
  /// How long one `poll` goes on with those that are there, but for the listener's own time.
  static constexpr std::chrono::milliseconds turn{5};
  /// And how long after that for the backlog: the busiest clients keep no other one out.
  static constexpr std::chrono::milliseconds accept_turn{1};

  /// A listener may be called while this lives.
  class Listening {
   public:
    explicit Listening(Acceptor& acceptor) : acceptor_(acceptor) { acceptor_.listening_ = true; }
    ~Listening() {
      acceptor_.listening_ = false;
      if (!finished) static_cast<void>(acceptor_.set_.renew());
      if (acceptor_.closing_) acceptor_.close();
      if (acceptor_.server_) acceptor_.set_.wake_at(acceptor_.server_->deadline());
    }
    Listening(const Listening&) = delete;

    /// Nothing is left that the set would not tell anew.
    bool finished = false;

   private:
    Acceptor& acceptor_;
  };

  template <class From>
  static Result<Acceptor> listen_at(From from, const Token& token, ObserverT observer) {
    auto limits = ChannelT::accept_limits();
    limits.max_half_open = options.max_half_open;
    auto server = detail::HandshakeServer<TransportT>::listen(ChannelT::terms(token), limits,
                                                              std::move(from));
    if (!server) return detail::observe_failure(observer, server.error());
    auto set = os::wait_set_with_signal();
    if (!set) return set.error();
    if (auto watched = set->watch(server->interest()); !watched) return watched.error();
    Acceptor acceptor(std::move(*set), std::move(observer));
    acceptor.server_.emplace(std::move(*server));
    return acceptor;
  }

  Acceptor(os::WaitSet set, ObserverT observer)
      : set_(std::move(set)), observer_(std::move(observer)) {}

  detail::Deadline accept_deadline() const {
    return server_ ? server_->deadline() : detail::Deadline::never();
  }

  template <class Listener>
  Result<std::size_t> wait_until(Listener& listener, detail::Deadline deadline) {
    for (;;) {
      auto handled = poll_on(listener);
      if (!handled || *handled != 0 || stop_.raised() || closing_ || deadline.passed()) {
        return handled;
      }
      const auto until = detail::Deadline::earlier(deadline, accept_deadline());
      auto slept = os::wait_for({Interest::to_read(set_.native_handle())}, until);
      if (!slept) return slept.error();
    }
  }

  template <class Listener>
  Result<std::size_t> poll_on(Listener& listener) {
    static_assert(detail::check_client_hooks<ChannelT, Listener>());
    if (!open_) return Errc::closed;
    Listening listening(*this);
    set_.clear();
    // In turn, and what there was no time for comes first in the next call.
    const bool looked = next_ready_ == ready_count_;
    if (looked) {
      const auto count = set_.ready(ready_);
      if (!count) return count.error();
      ready_count_ = *count;
      next_ready_ = 0;
    }
    const auto turn_ends = detail::Deadline::after(turn);
    std::size_t handled = 0;
    backlog_ = backlog_ || accept_deadline().passed();
    while (next_ready_ != ready_count_) {
      if (stop_.raised() || closing_) return handled;
      const NativeHandle handle = ready_[next_ready_++];
      if (server_ && handle == server_->interest().handle) {
        backlog_ = true;
      } else if (const auto client = clients_.find(handle); client != clients_.end()) {
        handled += serve(client, listener);
        if (turn_ends.passed()) break;
      }
    }
    if (stop_.raised() || closing_ || next_ready_ != ready_count_) return handled;
    if (backlog_) {
      const auto accepted = accept_pending(listener);
      if (!accepted && handled == 0) return accepted.error();
      handled += accepted.value_or(0);
    }
    // The set's own descriptors may have taken two places.
    listening.finished = looked && !backlog_ && ready_count_ + 2 < ready_.size();
    return handled;
  }

  template <class Listener>
  Result<std::size_t> accept_pending(Listener& listener) {
    const auto turn_ends = detail::Deadline::after(accept_turn);
    std::size_t handled = 0;
    for (int i = 0; i != max_handshakes && !stop_.raised() && !closing_; ++i) {
      if (i != 0 && turn_ends.passed()) break;
      auto client = server_->accept(observer_, [&](const PeerCredentials& credentials) {
        return is_full_for(credentials.uid);
      });
      backlog_ = client.has_value();
      if (!client) {
        // Not every transport's `accept` has looked at all that its descriptor shows.
        if (auto shown = set_.watch(server_->interest()); !shown) return shown.error();
        if (client.error() == Errc::empty || handled != 0) return handled;
        return client.error();
      }
      if (!*client) continue;
      const PeerCredentials credentials = (*client)->credentials;
      if (const auto admitted = add(ChannelT(std::move(**client), false, observer_))) {
        handled += serve(*admitted, listener);
      } else {
        detail::observe_refused(observer_, admitted.error(), credentials);
      }
    }
    return handled;  // there may be more, which not every transport's name still shows
  }

  Result<typename Clients::iterator> add(ChannelT channel) {
    const auto handle = channel.native_handle();
    if (!handle) return handle.error();
    if (auto watched = set_.watch(Interest::to_read(*handle)); !watched) return watched.error();
    const ClientId id{++last_id_};
    handles_.emplace(id, *handle);
    detail::observe_client(channel.observer(), id);
    return clients_.emplace(*handle, Client{id, std::move(channel)}).first;
  }

  bool is_full_for(const UserId& uid) const {
    if (clients_.size() >= options.max_clients) return true;
    if constexpr (options.max_clients_per_user >= options.max_clients) return false;
    std::size_t of_user = 0;
    for (const auto& [fd, client] : clients_) {
      of_user += client.channel.peer().credentials.uid == uid;
    }
    return of_user >= options.max_clients_per_user;
  }

  template <class Listener>
  std::size_t serve(typename Clients::iterator at, Listener& listener) {
    ChannelT& client = at->second.channel;
    const auto handled = client.poll(detail::ListenerOf<ChannelT, Listener>{client, listener});
    if (handled) return *handled;
    client.close_because(handled.error());
    if constexpr (requires { listener.on_closed(client, handled.error()); }) {
      listener.on_closed(client, handled.error());
    }
    set_.forget(at->first);  // a forked process may have it open still
    handles_.erase(at->second.id);
    clients_.erase(at);
    return 1;
  }

  /// None without a name.
  detail::ResetOnMove<detail::HandshakeServer<TransportT>> server_;
  detail::ValueOnMove<bool, false> open_ = true;
  os::WaitSet set_;
  Clients clients_;
  std::map<ClientId, NativeHandle> handles_;
  std::uint64_t last_id_ = 0;
  /// The clients that have something to say, and were not asked yet from this one on.
  std::array<NativeHandle, 64> ready_{};
  std::size_t ready_count_ = 0;
  std::size_t next_ready_ = 0;
  bool listening_ = false;
  detail::StopFlag stop_;
  bool closing_ = false;
  /// More may wait to be accepted than were.
  bool backlog_ = false;
  detail::FanOut<ChannelT> fan_out_;
  [[no_unique_address]] ObserverT observer_;
};

}  // namespace strait
