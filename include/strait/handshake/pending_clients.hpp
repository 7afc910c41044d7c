#pragma once

#include <optional>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/close_unseen.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A server's way in: the door at which clients show up, those who have come in but not said Hello
/// yet, and one descriptor to wait for all of them.
template <class Candidate>
class Entrance {
 public:
  Entrance() = default;

  /// Errors: the system's.
  static Result<Entrance> create(posix::Descriptor door, AcceptLimits limits) {
    auto entrance = without_door(limits);
    if (!entrance) return entrance;
    entrance->door_ = std::move(door);
    if (auto watched = entrance->watch(entrance->door_.get()); !watched) return watched.error();
    return entrance;
  }

  /// For one client alone, who is in already.
  static Result<Entrance> create(Candidate client, int to_watch, AcceptLimits limits) {
    auto entrance = without_door(limits);
    if (!entrance) return entrance;
    if (auto added = entrance->add(std::move(client), to_watch); !added) return added.error();
    return entrance;
  }

  const posix::Descriptor& door() const { return door_; }
  bool overfull() const { return half_open_.overfull(); }

  /// Readable when somebody is at the door or has something to say; not when a client's time is up.
  pollfd interest() const { return {ready_.native_handle(), POLLIN, 0}; }
  Deadline deadline() const { return half_open_.deadline(); }

  /// Lets a client in; `to_watch` is readable when it has something to say.
  Result<void> add(Candidate client, int to_watch) {
    if (auto watched = watch(to_watch); !watched) return watched;
    return half_open_.add(std::move(client));
  }

  /// Has `let_in()` let all in who are at the door. When the system has nothing left to let them in
  /// with, they wait; as they would keep the door readable, it is left alone for a while.
  ///
  /// Errors: `peer_closed` when there was but one client and it is through; those of `let_in`.
  template <class LetIn>
  Result<void> open(LetIn&& let_in) {
    if (!door_) return half_open_.empty() ? Errc::peer_closed : Result<void>();
    Result<void> open;
    if (half_open_.paused()) {
      if (!half_open_.resume()) return {};
      open = watch(door_.get());
    }
    if (open) open = let_in();
    if (open || !posix::is_exhaustion(open.error())) return open;
    ready_.forget(door_.get());
    half_open_.pause();
    return {};
  }

  /// `open` for a socket that listens. `make(Descriptor&&, const PeerCredentials&)` is a candidate.
  /// One whom the policy does not allow is asked for nothing: `next` turns it away at once.
  template <class Make>
  Result<void> accept(Make&& make) {
    return open([&]() -> Result<void> {
      while (!overfull() && !stranger_) {
        // Whoever is turned away is closed in the background, and what finds no room there stays
        // open: more come in when that has caught up.
        if (!posix::can_close_unseen(posix::BackgroundCloser::capacity / 2)) {
          return std::make_error_code(std::errc::too_many_files_open);
        }
        auto client = posix::accept_from(door_);
        if (!client) {
          return client.error() == Errc::would_block ? Result<void>() : client.error();
        }
        const auto credentials = posix::peer_credentials(client->get());
        if (!credentials) continue;  // gone already
        if (!check_peer(*credentials, peers_)) {
          posix::PeerSocket turned_away(std::move(*client));
          stranger_ = make(posix::Descriptor(), *credentials);
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
      auto stranger = *std::exchange(stranger_, std::nullopt);
      return done(stranger, Errc::permission_denied);
    }
    return half_open_.next(ask, done);
  }

 private:
  static Result<Entrance> without_door(AcceptLimits limits) {
    auto ready = posix::WaitSet::create();
    if (!ready) return ready.error();
    Entrance entrance;
    entrance.ready_ = std::move(*ready);
    entrance.half_open_ = HalfOpen<Candidate>(limits);
    entrance.peers_ = limits.peers;
    return entrance;
  }

  Result<void> watch(int fd) { return ready_.watch(fd, POLLIN); }

  posix::Descriptor door_;
  posix::WaitSet ready_;
  HalfOpen<Candidate> half_open_;
  PeerPolicy peers_ = PeerPolicy::same_user;
  /// Came last and is not allowed in.
  std::optional<Candidate> stranger_;
};

}  // namespace strait::detail
