#pragma once

#include <cstdint>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/os/process.hpp"
#include "strait/peer.hpp"

namespace strait::detail {

/// Looks now and then for the end of a peer, where no wake-up tells of it.
class PeerWatch {
 public:
  /// Whether a poll that found nothing shall ask the system, since only a system call shows that a
  /// peer was killed: every 20 ms, where it polls often enough. The clock is asked on every fourth
  /// poll.
  bool is_due() {
    ++idle_polls_;
    if (idle_polls_ % 4 != 0 || !next_look_.passed()) return false;
    next_look_ = Deadline::after(std::chrono::milliseconds{20});
    return true;
  }

  /// Whether the peer's process has ended in the middle of a message. A peer that has sent its own
  /// end of the link, with a message that it will never finish, keeps the link open by that when it
  /// dies.
  template <class Link>
  bool has_ended(const Link& link, const Peer& peer) {
    if constexpr (requires { link.unfinished(); }) {
      const std::uint64_t unfinished = link.unfinished();
      if (unfinished != begun_ || unfinished == 0) [[likely]] {
        if (unfinished == begun_) return false;
        begun_ = unfinished;
      } else if (!look_again_at_.passed()) {
        return false;
      } else if (!peer.passed_on && os::has_ended(peer.credentials.pid)) {
        return true;
      }
      look_again_at_ =
          unfinished == 0 ? Deadline::never() : Deadline::after(std::chrono::seconds{2});
    }
    return false;
  }

  /// When `has_ended` has to be asked again though nothing comes.
  Deadline deadline() const { return look_again_at_; }
  void stop() { look_again_at_ = Deadline::never(); }

 private:
  std::uint32_t idle_polls_ = 0;
  Deadline next_look_ = Deadline::now();
  /// What the link had of an unfinished message, and how long it may stay so.
  std::uint64_t begun_ = 0;
  Deadline look_again_at_ = Deadline::never();
};

}  // namespace strait::detail
