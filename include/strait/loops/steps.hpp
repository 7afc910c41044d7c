#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/acceptor_options.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel.hpp"
#include "strait/channel/connect_attempts.hpp"
#include "strait/channel/observing.hpp"
#include "strait/handshake/server.hpp"
#include "strait/os/activated_socket.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"

// The operations of the event loops' adapters, each cut where it would block. A step has
//   value_type    what it results in
//   try_now()     does what can be done, and gives the result once there is one
//   wait()        what has to be waited for before the next `try_now`
// and knows no loop, so that every adapter does the same.

namespace strait::detail {

/// That the handle is readable, or that it is time, whichever comes first.
struct LoopWait {
  NativeHandle handle = no_handle;
  Deadline until = Deadline::never();
};

/// What there is to receive, from a channel or an acceptor.
template <class Source, class Listener>
class ReceiveStep {
 public:
  using value_type = std::size_t;

  ReceiveStep(Source& source, Listener listener)
      : source_(&source), listener_(std::move(listener)) {}

  std::optional<Result<std::size_t>> try_now() {
    Result<std::size_t> handled = source_->poll(listener_);
    if (handled && *handled == 0) return std::nullopt;
    return handled;
  }

  Result<LoopWait> wait() {
    const auto handle = source_->native_handle();
    if (!handle) return handle.error();
    return LoopWait{*handle};
  }

 private:
  Source* source_;
  Listener listener_;
};

/// As `Channel::flush`.
template <class ChannelT>
class FlushStep {
 public:
  using value_type = void;

  FlushStep(ChannelT& channel, Deadline deadline) : channel_(&channel), deadline_(deadline) {}

  std::optional<Result<void>> try_now() {
    // In this order: it takes wake-ups, and `flush` then has the handle show what they told.
    const bool wakes = channel_->waiting_connect() || channel_->await_room();
    const auto flushed = channel_->flush(std::chrono::nanoseconds::zero());
    if (flushed || flushed.error() != Errc::timed_out || deadline_.passed()) return flushed;
    const std::size_t queued = channel_->queued_bytes();
    const bool stuck = queued == std::exchange(queued_, queued);
    pauses_ = !wakes || stuck;
    pause_ = !pauses_ ? shortest : pause_ < longest ? 2 * pause_ : longest;
    return std::nullopt;
  }

  /// The handle; but messages that nothing receives make that ready, too, and no handle tells when
  /// the peer has taken what is out of line: then a pause.
  Result<LoopWait> wait() {
    if (pauses_) return LoopWait{no_handle, Deadline::earlier(deadline_, Deadline::after(pause_))};
    const auto handle = channel_->native_handle();
    if (!handle) return handle.error();
    return LoopWait{*handle, deadline_};
  }

 private:
  static constexpr std::chrono::microseconds shortest{500};
  static constexpr std::chrono::microseconds longest{16'000};

  ChannelT* channel_;
  Deadline deadline_;
  std::size_t queued_ = 0;
  bool pauses_ = false;
  std::chrono::microseconds pause_ = shortest;
};

/// As `Channel::connect` with a timeout.
template <class ChannelT>
class ConnectStep {
  using ObserverT = typename ChannelT::observer_type;

 public:
  using value_type = ChannelT;

  /// A deadline of now is for one attempt, which has the usual time of a handshake.
  ConnectStep(const NameOf<typename ChannelT::transport>& name, const Token& token,
              Deadline deadline, ObserverT observer)
      : attempts_(name, ChannelT::terms(token), ChannelT::accept_limits().timeout, deadline),
        observer_(std::move(observer)) {
    detail::observe_name(observer_, name);
  }

  std::optional<Result<ChannelT>> try_now() {
    // It may close the descriptor.
    if (watched_) set_.forget(watched_.handle);
    watched_ = {};
    auto ended = attempts_.try_now(observer_);
    if (!ended) return std::nullopt;
    if (!*ended) return detail::observe_failure(observer_, ended->error());
    return ChannelT(std::move(**ended), false, std::move(observer_));
  }

  Result<LoopWait> wait() {
    if (!set_) {
      auto set = os::wait_set_with_signal();
      if (!set) return set.error();
      set_ = std::move(*set);
    }
    set_.clear();
    const auto next = attempts_.wait();
    if (next.armed.ready) {
      if (auto shown = set_.signal(); !shown) return shown.error();
    }
    if (auto watched = os::watch_instead(set_, watched_, next.armed.in); !watched) {
      return watched.error();
    }
    set_.wake_at(next.until);
    return LoopWait{set_.native_handle()};
  }

 private:
  ConnectAttempts<typename ChannelT::transport> attempts_;
  ObserverT observer_;
  os::WaitSet set_;
  Interest watched_;
};

}  // namespace strait::detail

namespace strait {

/// A name whose clients become channels of their own, one by one: for loops in which each client
/// has its coroutine or its chain of callbacks. `Acceptor` is for one listener for all of them.
///
/// Threads: one at a time.
template <class ChannelT>
class ChannelServer {
  using ObserverT = typename ChannelT::observer_type;

 public:
  using channel_type = ChannelT;

  /// Claims a name. Each client's channel gets a copy of the observer.
  ///
  /// Errors: `invalid_name`, `name_taken`, `permission_denied`, the system's. Blocking: never.
  [[nodiscard]] static Result<ChannelServer> listen(
      detail::NameOf<typename ChannelT::transport> name, const Token& token,
      ObserverT observer = {}) {
    detail::observe_name(observer, name);
    return listen_at(name, token, std::move(observer));
  }

  /// The same at a socket that a service manager has made, as `Channel::listen`.
  [[nodiscard]] static Result<ChannelServer> listen(ActivatedSocket socket, const Token& token,
                                                    ObserverT observer = {}) {
    static_assert(detail::check_activatable<typename ChannelT::transport>());
    return listen_at(std::move(socket), token, std::move(observer));
  }

  ChannelServer(ChannelServer&&) noexcept = default;
  ChannelServer& operator=(ChannelServer&&) noexcept = default;

  /// The next client that has the token. One that has not is refused, which the observer is told.
  ///
  /// Errors: `empty`: no client is there now; `closed`; the system's. Blocking: never.
  Result<ChannelT> accept() {
    if (!server_) return Errc::closed;
    set_.clear();
    for (int i = 0; i != max_handshakes; ++i) {
      auto client = server_->accept(observer_);
      if (!client) {
        set_.wake_at(server_->deadline());
        // Not every transport's `accept` has looked at all that its descriptor shows.
        if (auto shown = set_.watch(server_->interest()); !shown) return shown.error();
        return client.error();
      }
      if (!*client) continue;
      // There may be more, which not every transport's name still shows.
      if (auto shown = set_.renew(); !shown) return shown.error();
      return ChannelT(std::move(**client), false, observer_);
    }
    if (auto shown = set_.renew(); !shown) return shown.error();
    return Errc::empty;
  }

  /// When it is readable, call `accept` until that is `empty`; also in an edge-triggered loop.
  /// Ownership: the server's.
  HandleResult native_handle() const noexcept { return set_.native_handle(); }

  /// Frees the name. The clients' channels go on.
  void close() noexcept {
    if (server_) server_->withdraw();
    server_.reset();
    static_cast<void>(set_.renew());
  }

 private:
  using Server = detail::HandshakeServer<typename ChannelT::transport>;

  /// How many clients are turned away in one call.
  static constexpr int max_handshakes = 64;

  template <class From>
  static Result<ChannelServer> listen_at(From from, const Token& token, ObserverT observer) {
    auto limits = ChannelT::accept_limits();
    limits.max_half_open = AcceptorOptions{}.max_half_open;
    auto server = Server::listen(ChannelT::terms(token), limits, std::move(from));
    if (!server) return detail::observe_failure(observer, server.error());
    auto set = os::wait_set_with_signal();
    if (!set) return set.error();
    if (auto watched = set->watch(server->interest()); !watched) return watched.error();
    return ChannelServer(std::move(*server), std::move(*set), std::move(observer));
  }

  ChannelServer(Server server, os::WaitSet set, ObserverT observer)
      : set_(std::move(set)), observer_(std::move(observer)) {
    server_.emplace(std::move(server));
  }

  detail::ResetOnMove<Server> server_;
  os::WaitSet set_;
  [[no_unique_address]] ObserverT observer_;
};

}  // namespace strait

namespace strait::detail {

/// The next client of a `ChannelServer`.
template <class ServerT>
class AcceptStep {
 public:
  using value_type = typename ServerT::channel_type;

  explicit AcceptStep(ServerT& server) : server_(&server) {}

  std::optional<Result<value_type>> try_now() {
    auto client = server_->accept();
    if (!client && client.error() == Errc::empty) return std::nullopt;
    return client;
  }

  Result<LoopWait> wait() {
    const auto handle = server_->native_handle();
    if (!handle) return handle.error();
    return LoopWait{*handle};
  }

 private:
  ServerT* server_;
};

}  // namespace strait::detail
