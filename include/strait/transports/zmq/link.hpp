#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/gathered.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/transports/zmq/hub.hpp"

namespace strait::detail {

/// One end of a link, as its owner has it: two streams of bytes.
class ZmqLink {
 public:
  ZmqLink(std::shared_ptr<ZmqHub> hub, std::shared_ptr<ZmqLinkState> state)
      : hub_(std::move(hub)), state_(std::move(state)) {}
  ZmqLink(ZmqLink&&) noexcept = default;
  ZmqLink& operator=(ZmqLink&& other) noexcept {
    reset();
    hub_ = std::move(other.hub_);
    state_ = std::move(other.state_);
    taken_ = std::move(other.taken_);
    next_ = other.next_;
    offset_ = other.offset_;
    owed_ = other.owed_;
    return *this;
  }
  ~ZmqLink() { reset(); }

  /// Ends the link. A forked process's copy has no part in it: another thread of its parent may
  /// have held the lock.
  void reset() {
    if (hub_ && hub_->is_this_process()) {
      const auto locked = hub_->lock();
      hub_->leave(*state_);
    }
    state_.reset();
    hub_.reset();
  }

  const PublicKey& key() const { return state_->key; }

  /// Errors: `empty`; `peer_closed`; why there is no connection.
  Result<HandshakeBytes> welcome() {
    if (gone()) return Errc::closed;
    const auto locked = hub_->lock();
    hub_->pump(state_.get());
    if (state_->welcome_came) {
      state_->welcome_taken = true;
      return state_->handshake;
    }
    return state_->ended ? state_->ended : make_error_code(Errc::empty);
  }

  Result<std::size_t> write(Slice<const os::GatheredPart> parts) {
    if (gone()) return Errc::closed;
    const auto locked = hub_->lock();
    return hub_->write(*state_, parts);
  }

  /// Errors: `would_block`; why the link has ended, after all that had come.
  Result<std::size_t> read(std::span<std::byte> room) {
    if (next_ == taken_.size()) {
      if (gone()) return Errc::closed;
      if (auto more = take(); !more) return more.error();
    }
    ZmqMessage& message = taken_[next_];
    const auto rest = message.bytes().subspan(sizeof(ZmqHeader) + offset_);
    const std::size_t size = (min)(rest.size(), room.size());
    if (size != 0) std::memcpy(room.data(), rest.data(), size);
    offset_ += size;
    if (size == rest.size()) {
      owed_ += zmq_cost(message.size() - sizeof(ZmqHeader));
      message = ZmqMessage();
      ++next_;
      offset_ = 0;
      if (owed_ >= zmq_credit / 4) {
        const auto locked = hub_->lock();
        pay();
      }
    }
    return size;
  }

  bool has_taken() const { return next_ != taken_.size(); }
  bool readable() const {
    if (has_taken()) return true;
    if (gone()) return true;
    const auto locked = hub_->lock();
    hub_->pump(state_.get());
    return is_ready();
  }

  Armed arm(bool wants_room) {
    if (gone()) return {{}, true};
    const auto locked = hub_->lock();
    const bool more = hub_->pump(state_.get());
    state_->armed = true;
    state_->wants_room = wants_room;
    const bool has_room = wants_room && (state_->credit >= zmq_min_cost || state_->ended);
    return {{Interest::to_read(state_->wakeup.native_handle()), {}},
            more || is_ready() || has_room || has_taken()};
  }
  void disarm() {
    if (gone()) return;
    const auto locked = hub_->lock();
    state_->armed = false;
  }
  void take_wakeups() {
    if (gone()) return;
    const auto locked = hub_->lock();
    state_->wakeup.clear();
    hub_->pump(state_.get());
  }

 private:
  bool gone() const { return !hub_->is_this_process(); }
  bool is_ready() const {
    return !state_->inbox.empty() || state_->ended ||
           (state_->welcome_came && !state_->welcome_taken);
  }

  /// Takes what has come, in exchange for the empty list.
  Result<void> take() {
    taken_.clear();
    next_ = 0;
    const auto locked = hub_->lock();
    if (state_->inbox.empty()) hub_->pump(state_.get());
    if (state_->inbox.empty()) {
      return state_->ended ? state_->ended : make_error_code(Errc::would_block);
    }
    std::swap(taken_, state_->inbox);
    return {};
  }

  /// Gives credit back for what was read.
  void pay() {
    state_->inbox_cost -= owed_;
    hub_->give_credit(*state_, owed_);
    owed_ = 0;
  }

  std::shared_ptr<ZmqHub> hub_;
  std::shared_ptr<ZmqLinkState> state_;
  /// What has come and is the reader's, from `offset_` in the message `next_` on.
  std::vector<ZmqMessage> taken_;
  std::size_t next_ = 0;
  std::size_t offset_ = 0;
  /// Credit that the peer has not got back yet for what was read.
  std::size_t owed_ = 0;
};

}  // namespace strait::detail
