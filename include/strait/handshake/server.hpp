#pragma once

#include <optional>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/handshake/withdraw.hpp"
#include "strait/observer.hpp"
#include "strait/os/error.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A link to a peer of which both sides know that it is the right one, or will know it with the
/// server's answer.
template <class TransportT>
struct Introduced {
  TransportT link;
  PeerCredentials credentials;

  Peer peer() const {
    Peer peer{credentials};
    if constexpr (KnowsPeersByKey<TransportT>) peer.public_key = link.public_key();
    return peer;
  }
};

/// Has an observer hear of the type in which a peer's schema differs, if that is seen.
template <class Observer>
void tell_mismatch(const Schema& schema, const TypeDigests& peers, Observer& observer) {
  if (const auto tag = first_difference(schema.digests, peers)) {
    observe_schema_mismatch(observer, schema.name(*tag), *tag);
  }
}

/// The server's half of the handshake: claims a name, and lets each client in or turns it away and
/// says why.
template <class TransportT>
class HandshakeServer {
 public:
  using Client = Introduced<TransportT>;

  /// Errors: those of the transport's `listen`, whose first argument, a name or a descriptor with
  /// its credentials, is `from`.
  template <class... From>
  static Result<HandshakeServer> listen(const HandshakeTerms& terms, AcceptLimits limits,
                                        From&&... from) {
    auto server = [&] {
      if constexpr (requires { TransportT::listen(from..., limits, terms.token); }) {
        return TransportT::listen(std::forward<From>(from)..., limits, terms.token);
      } else {
        return TransportT::listen(std::forward<From>(from)..., limits);
      }
    }();
    if (!server) return server.error();
    return HandshakeServer(std::move(*server), terms);
  }

  HandshakeServer(HandshakeServer&&) noexcept = default;
  HandshakeServer& operator=(HandshakeServer&&) noexcept = default;

  /// The next client, or none if that was turned away, which the observer is told. One that knows
  /// the token, but would be one too many by `is_full(credentials)`, is `refused`.
  ///
  /// Errors: `empty`; why no client can be let in any more, which of a server for one client alone
  /// is why that was turned away, or `peer_closed`.
  template <class Observer, class IsFull>
  Result<std::optional<Client>> accept(Observer& observer, const IsFull& is_full) {
    auto request = server_->accept();
    if (!request) {
      return request.error() == Errc::peer_closed ? turned_away_ : request.error();
    }
    const PeerCredentials credentials = request->credentials;
    const bool came = !request->failure;
    auto link = answer(std::move(*request), is_full, observer);
    if (link) return std::optional<Client>(Client{std::move(*link), credentials});
    turned_away_ = link.error();
    observe_refused(observer, turned_away_, credentials);
    if (came && os::is_permanent(turned_away_)) return turned_away_;
    return std::optional<Client>();
  }
  template <class Observer>
  Result<std::optional<Client>> accept(Observer& observer) {
    return accept(observer, [](const PeerCredentials&) { return false; });
  }

  /// Waits for a client until the deadline, or until `lifeline` has ended.
  ///
  /// Errors: when it has, why the last client was turned away, or `peer_closed`;
  /// `handshake_timeout`; those of `accept`; the system's.
  template <class Observer>
  Result<Client> wait(Observer& observer, NativeHandle lifeline, Deadline deadline) {
    for (;;) {
      // Asked first: what came before the end still counts.
      const bool ended = os::ready_now(Interest::to_read(lifeline)).ended;
      for (;;) {
        auto client = accept(observer);
        if (!client && client.error() == Errc::empty) break;
        if (!client) return client.error();
        if (*client) return std::move(**client);
      }
      if (ended) return turned_away_;
      if (deadline.passed()) return Errc::handshake_timeout;
      auto slept = os::wait_for({interest(), os::end_of(lifeline)},
                                Deadline::earlier(deadline, server_->deadline()));
      if (!slept) return slept.error();
    }
  }

  Interest interest() const { return server_->interest(); }
  /// When there is something to `accept` even if nothing comes.
  Deadline deadline() const { return server_->deadline(); }

  /// Frees the name, also while a forked process has a copy of what holds it.
  void withdraw() { detail::withdraw(server_); }

 private:
  HandshakeServer(typename TransportT::Server server, const HandshakeTerms& terms) : terms_(terms) {
    server_.emplace(std::move(server));
  }

  template <class IsFull, class Observer>
  Result<TransportT> answer(typename TransportT::Request request, const IsFull& is_full,
                            Observer& observer) const {
    if (request.failure) return request.failure;
    if constexpr (!KnowsPeersByKey<TransportT>) {
      if (auto checked = check_peer(request.credentials, terms_.peers); !checked) {
        return checked.error();
      }
    }
    auto why =
        check_hello(request.hello(), terms_.schema.hash, terms_.token, terms_.options).error();
    if (!why && is_full(request.credentials)) why = Errc::refused;
    if (why == Errc::schema_mismatch) {
      tell_mismatch(terms_.schema, digests_of_hello(request.hello()), observer);
    }
    const auto status = encode_welcome(why, terms_.schema.digests);
    if (!why) return std::move(request).welcome(status.bytes());
    std::move(request).refuse(status.bytes());
    return why;
  }

  ResetOnMove<typename TransportT::Server> server_;
  HandshakeTerms terms_;
  std::error_code turned_away_ = make_error_code(Errc::peer_closed);
};

}  // namespace strait::detail
