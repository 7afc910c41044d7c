#pragma once

#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/close_unseen.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A server's listening socket, the clients that it has accepted and that have not said Hello yet,
/// and one descriptor to wait for all of them.
template <class Candidate>
class PendingClients {
 public:
  PendingClients() = default;

  /// Errors: the system's.
  static Result<PendingClients> create(os::Descriptor listening, AcceptLimits limits) {
    auto pending = without_socket(limits);
    if (!pending) return pending;
    pending->listening_ = std::move(listening);
    if (auto watched = pending->watch(pending->listening_.get()); !watched) return watched.error();
    return pending;
  }

  /// For one client alone, whose connection there is already.
  static Result<PendingClients> create(Candidate client, int to_watch, AcceptLimits limits) {
    auto pending = without_socket(limits);
    if (!pending) return pending;
    if (auto added = pending->add(std::move(client), to_watch); !added) return added.error();
    return pending;
  }

  const os::Descriptor& listening() const { return listening_; }
  bool overfull() const { return half_open_.overfull(); }

  /// Readable when a client connects or has said something; not when a client's time is up.
  Interest interest() const { return Interest::to_read(ready_.native_handle()); }
  Deadline deadline() const { return half_open_.deadline(); }

  /// Takes an accepted client in; `to_watch` is readable when it has said something.
  Result<void> add(Candidate client, int to_watch) {
    if (auto watched = watch(to_watch); !watched) return watched;
    return half_open_.add(std::move(client));
  }

  /// Has `accept_all()` accept all clients that wait. When the system has no descriptor or memory
  /// left for that, they go on waiting; as they would keep the listening socket readable, it is not
  /// watched for a while.
  ///
  /// Errors: `peer_closed` when there was but one client and it is through; those of `accept_all`.
  template <class AcceptAll>
  Result<void> accept_pending(AcceptAll&& accept_all) {
    if (!listening_) return half_open_.empty() ? Errc::peer_closed : Result<void>();
    Result<void> accepted;
    if (half_open_.paused()) {
      if (!half_open_.resume()) return {};
      accepted = watch(listening_.get());
    }
    if (accepted) accepted = accept_all();
    if (accepted || !os::is_exhaustion(accepted.error())) return accepted;
    ready_.forget(listening_.get());
    half_open_.pause();
    return {};
  }

  /// `accept_pending` for a socket that listens. `make(Descriptor&&, const PeerCredentials&)` is a
  /// candidate. One that the policy does not allow is asked for nothing: `next` turns it away at
  /// once.
  template <class Make>
  Result<void> accept(Make&& make) {
    return accept_pending([&]() -> Result<void> {
      while (!overfull() && !stranger_) {
        // A client that is turned away is closed in the background, and what finds no room there
        // stays open: more are accepted when that has caught up.
        if (!os::can_close_unseen(os::BackgroundCloser::capacity / 2)) {
          return std::make_error_code(std::errc::too_many_files_open);
        }
        auto client = os::accept_from(listening_);
        if (!client) {
          return client.error() == Errc::would_block ? Result<void>() : client.error();
        }
        const auto credentials = os::peer_credentials(client->get());
        if (!credentials) continue;  // gone already
        if (!check_peer(*credentials, peers_)) {
          os::PeerSocket turned_away(std::move(*client));
          stranger_.emplace(make(os::Descriptor(), *credentials));
          return {};
        }
        const int to_watch = client->get();
        auto added = add(make(std::move(*client), *credentials), to_watch);
        if (!added) return added;
      }
      return {};
    });
  }

  /// As `HalfOpen::next`.
  template <class Ask, class Done>
  auto next(Ask&& ask, Done&& done) {
    if (stranger_) [[unlikely]] {
      Candidate stranger = std::move(*stranger_);
      stranger_.reset();
      return done(stranger, Errc::permission_denied);
    }
    return half_open_.next(ask, done);
  }

 private:
  static Result<PendingClients> without_socket(AcceptLimits limits) {
    auto ready = os::WaitSet::create();
    if (!ready) return ready.error();
    PendingClients pending;
    pending.ready_ = std::move(*ready);
    pending.half_open_ = HalfOpen<Candidate>(limits);
    pending.peers_ = limits.peers;
    return pending;
  }

  Result<void> watch(int fd) { return ready_.watch(Interest::to_read(fd)); }

  os::Descriptor listening_;
  os::WaitSet ready_;
  HalfOpen<Candidate> half_open_;
  PeerPolicy peers_ = PeerPolicy::same_user;
  /// The last one that connected and is not allowed.
  ResetOnMove<Candidate> stranger_;
};

}  // namespace strait::detail
