#pragma once

#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/error.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/handshake/server.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

// The client's half of the handshake.

/// Says Hello to a server that was found. The link may be used once `read_welcome` has succeeded.
///
/// Errors: `permission_denied` if the server's user is not allowed; the transport's.
template <class TransportT>
Result<Introduced<TransportT>> say_hello(typename TransportT::Connector server,
                                         const HandshakeTerms& terms) {
  PeerCredentials credentials;
  if constexpr (TellsCredentials<typename TransportT::Connector>) {
    credentials = server.credentials();
    if (auto checked = check_peer(credentials, terms.peers); !checked) return checked.error();
  }
  auto link = std::move(server).hello(
      encode_hello(terms.schema.hash, terms.token, terms.options, terms.schema.digests).bytes());
  if (!link) return link.error();
  return Introduced<TransportT>{std::move(*link), credentials};
}

/// Takes the server's answer.
///
/// Errors: `empty` until it is there; why the client is refused; `peer_closed` if the server hung
/// up without an answer; `permission_denied` if its user is not allowed. Of a `schema_mismatch` the
/// observer hears where it is.
template <class TransportT, class Observer>
Result<void> read_welcome(TransportT& link, PeerCredentials& credentials, PeerPolicy peers,
                          const Schema& schema, Observer& observer) {
  const auto answer = link.welcome();
  if (!answer) return answer.error();
  if constexpr (!TellsCredentials<typename TransportT::Connector>) {
    credentials = link.server_credentials();
    // Before what it says counts.
    if constexpr (!KnowsPeersByKey<TransportT>) {
      if (auto checked = check_peer(credentials, peers); !checked) return checked;
    }
  }
  auto checked = check_welcome(answer->bytes());
  if (checked.failed_with(Errc::schema_mismatch)) {
    tell_mismatch(schema, digests_of_welcome(answer->bytes()), observer);
  }
  return checked;
}

/// Says Hello and, unless the deadline is now, waits for the answer until then, or until the usual
/// time of a handshake is up.
///
/// Errors: as above; `handshake_timeout`; the system's.
template <class TransportT, class Observer>
Result<Introduced<TransportT>> introduce(typename TransportT::Connector server,
                                         const HandshakeTerms& terms, Deadline deadline,
                                         std::chrono::milliseconds usual, Observer& observer) {
  auto peer = say_hello<TransportT>(std::move(server), terms);
  if (!peer || deadline.is_now()) return peer;
  const auto until = Deadline::earlier(deadline, Deadline::after(usual));
  const FrameQueue nothing;
  for (;;) {
    const auto welcome =
        read_welcome(peer->link, peer->credentials, terms.peers, terms.schema, observer);
    if (welcome) return peer;
    if (welcome.error() != Errc::empty) return welcome.error();
    if (until.passed()) return Errc::handshake_timeout;
    const Armed armed = peer->link.arm(nothing);
    Result<void> slept;
    if (!armed.ready) slept = os::wait_for(armed, until);
    peer->link.disarm();
    peer->link.take_doorbells();
    if (!slept) return slept.error();
  }
}

}  // namespace strait::detail
