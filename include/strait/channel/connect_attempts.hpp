#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/client.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/handshake/server.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// A name that is kept as long as it is needed.
template <class TransportT>
using KeptNameOf = std::conditional_t<std::is_same_v<NameOf<TransportT>, std::string_view>,
                                      std::string, NameOf<TransportT>>;

/// Looks a server up, with keys made of the token where a transport has any.
template <class TransportT>
Result<typename TransportT::Connector> find_server(const NameOf<TransportT>& name,
                                                   const Token& token) {
  if constexpr (requires { TransportT::look_up(name, token); }) {
    return TransportT::look_up(name, token);
  } else {
    return TransportT::look_up(name);
  }
}

/// The way to a server, with as many attempts as the time allows, cut where it would block: for a
/// call that waits, and for loops.
template <class TransportT>
class ConnectAttempts {
 public:
  using Connected = Introduced<TransportT>;

  /// A deadline of now is for one attempt, which has the usual time of a handshake.
  ConnectAttempts(const NameOf<TransportT>& name, const HandshakeTerms& terms,
                  std::chrono::milliseconds usual, Deadline deadline)
      : name_(name),
        terms_(terms),
        usual_(usual),
        tries_again_(!deadline.is_now()),
        deadline_(deadline.is_now() ? Deadline::never() : deadline) {}

  /// Does what can be done now. None while there is something to wait for.
  ///
  /// Errors: those of `Channel::connect`. Descriptors that `wait` told of may be closed after it.
  template <class Observer>
  std::optional<Result<Connected>> try_now(Observer& observer) {
    if (!peer_) {
      if (!next_attempt_.passed() && !deadline_.passed()) return std::nullopt;
      if (auto begun = begin(); !begun) return fail(begun.error());
    } else if (armed_) {
      peer_->link.disarm();
      peer_->link.take_doorbells();
      armed_ = false;
    }
    const auto welcome =
        read_welcome(peer_->link, peer_->credentials, terms_.peers, terms_.schema, observer);
    if (welcome) return std::move(*peer_);
    if (welcome.error() != Errc::empty) return fail(welcome.error());
    if (until_.passed()) return fail(make_error_code(Errc::handshake_timeout));
    return std::nullopt;
  }

  struct Wait {
    Armed armed;
    Deadline until;
  };
  /// What to wait for before the next `try_now`.
  Wait wait() {
    if (!peer_) return {{}, Deadline::earlier(deadline_, next_attempt_)};
    armed_ = true;
    return {peer_->link.arm(nothing_), until_};
  }

 private:
  static constexpr std::chrono::milliseconds longest_pause{60};

  Result<void> begin() {
    auto found = find_server<TransportT>(name_, terms_.token);
    if (!found) return found.error();
    auto peer = say_hello<TransportT>(std::move(*found), terms_);
    if (!peer) return peer.error();
    peer_.emplace(std::move(*peer));
    armed_ = false;
    until_ = Deadline::earlier(deadline_, Deadline::after(usual_));
    return {};
  }

  /// Ends with the error, or has another attempt follow.
  std::optional<Result<Connected>> fail(std::error_code why) {
    peer_.reset();
    if (!tries_again_ || !passes(why) || deadline_.passed()) {
      return why == Errc::peer_closed ? make_error_code(Errc::refused) : why;
    }
    next_attempt_ = Deadline::after(pause_);
    pause_ = pause_ < longest_pause / 2 ? 2 * pause_ : longest_pause;
    return std::nullopt;
  }

  /// Whether another attempt may succeed: a server may appear, be about to go and come again, or
  /// have more time then. What it says in its answer is a decision.
  static bool passes(const std::error_code& why) {
    return why == Errc::not_found || why == Errc::would_block || why == Errc::peer_closed ||
           why == Errc::handshake_timeout || why == std::errc::connection_refused ||
           why == std::errc::no_such_file_or_directory;
  }

  KeptNameOf<TransportT> name_;
  HandshakeTerms terms_;
  std::chrono::milliseconds usual_;
  bool tries_again_;
  Deadline deadline_;
  std::optional<Connected> peer_;
  bool armed_ = false;
  Deadline until_ = Deadline::never();
  Deadline next_attempt_ = Deadline::now();
  std::chrono::milliseconds pause_{1};
  FrameQueue nothing_;
};

/// Looks a name up and says Hello; and, unless the deadline is now, waits for the answer.
///
/// Errors: those of `Channel::connect`. Blocking: up to the deadline.
template <class TransportT, class Observer>
Result<Introduced<TransportT>> connect_to(const NameOf<TransportT>& name,
                                          const HandshakeTerms& terms,
                                          std::chrono::milliseconds usual, Deadline deadline,
                                          Observer& observer) {
  if (deadline.is_now()) {
    auto found = find_server<TransportT>(name, terms.token);
    if (!found) return found.error();
    auto server = say_hello<TransportT>(std::move(*found), terms);
    if (server.failed_with(Errc::peer_closed)) return Errc::refused;
    return server;
  }
  ConnectAttempts<TransportT> attempts(name, terms, usual, deadline);
  for (;;) {
    if (auto ended = attempts.try_now(observer)) return std::move(*ended);
    const auto next = attempts.wait();
    if (next.armed.ready) continue;
    // No system tells when a name appears: then this is a pause.
    if (auto slept = os::wait_for(next.armed, next.until); !slept) return slept.error();
  }
}

}  // namespace strait::detail
