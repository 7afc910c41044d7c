#pragma once

#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/fair_share.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/channel_options.hpp"
#include "strait/handshake/client.hpp"
#include "strait/handshake/server.hpp"
#include "strait/handshake/withdraw.hpp"
#include "strait/os/interest.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"

namespace strait::detail {

/// How a channel comes to its peer: it waits for the one client of its name, or has said Hello to a
/// server and waits for the answer. One that has its peer from the beginning has none of this.
template <class TransportT, class SerializerT, ChannelOptions options>
class ChannelHandshake {
 public:
  void wait_for_client(HandshakeServer<TransportT> server) { server_.emplace(std::move(server)); }
  void wait_for_welcome() {
    deadline_ = Deadline::after(std::chrono::milliseconds{options.handshake_timeout_ms});
  }

  /// Takes the next step. Success is the end of it: there is a link then, and a peer.
  ///
  /// Errors: `empty` until then; why there will be no peer.
  template <class Observer>
  Result<void> advance(ResetOnMove<TransportT>& link, Peer& peer, Observer& observer) {
    return server_ ? await_hello(link, peer, observer) : await_welcome(*link, peer, observer);
  }

  /// When to `advance` at the latest though there is nothing to read.
  Deadline deadline() const { return server_ ? server_->deadline() : deadline_; }
  /// Of one that waits for a client: what shows that there is one.
  Interest interest() const { return server_->interest(); }

  /// Frees the name; there is nothing to wait for any more.
  void stop() {
    withdraw(server_);
    deadline_ = Deadline::never();
  }

 private:
  template <class Observer>
  Result<void> await_hello(ResetOnMove<TransportT>& link, Peer& peer, Observer& observer) {
    for (int i = 0; i != fair_share; ++i) {
      auto client = server_->accept(observer);
      if (!client) return client.error();
      if (*client) {
        peer = (*client)->peer();
        link.emplace(std::move((*client)->link));
        return {};
      }
    }
    return Errc::empty;
  }

  template <class Observer>
  Result<void> await_welcome(TransportT& link, Peer& peer, Observer& observer) {
    const auto welcome =
        read_welcome(link, peer.credentials, options.peers, schema_of<SerializerT>(), observer);
    if (welcome.failed_with(Errc::peer_closed)) return Errc::refused;
    if (welcome.failed_with(Errc::empty) && deadline_.passed()) return Errc::handshake_timeout;
    return welcome;
  }

  ResetOnMove<HandshakeServer<TransportT>> server_;
  Deadline deadline_ = Deadline::never();
};

}  // namespace strait::detail
