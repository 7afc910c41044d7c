#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <system_error>
#include <utility>

#include "strait/base/object_bytes.hpp"
#include "strait/base/shared.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/close_unseen.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::linux_mach {

using strait::detail::Shared;
using strait::detail::Slice;

/// The least that a packet can be: an empty one would look like the end.
inline constexpr std::byte doorbell{0};

/// One end of a link's socket pair, which its two ports share. Each packet is a doorbell, whichever
/// lane it is for, and may bring the descriptors of the next record.
///
/// Threads: one at a time. Blocking: never.
class LinkSocket {
 public:
  /// As many packets as a socket holds.
  static constexpr int max_packets = 256;

  explicit LinkSocket(os::PeerSocket socket) : socket_(std::move(socket)) {}

  /// Errors: `not_enough_memory`.
  static Result<Shared<LinkSocket>> create(os::PeerSocket socket) {
    auto made = Shared<LinkSocket>::try_make(std::move(socket));
    return made ? Result<Shared<LinkSocket>>(std::move(made)) : strait::detail::no_memory();
  }

  int handle() const { return socket_.get(); }

  /// Wakes the other side if it waits. If the socket is full, the other side has some to take.
  void ring_doorbell() const {
    os::retry([&] { return ::send(handle(), &doorbell, 1, MSG_DONTWAIT | MSG_NOSIGNAL); });
  }

  /// Errors: `would_block` when the socket is full, `peer_closed`, those of `sendmsg`.
  Result<void> send(Slice<const int> descriptors) const {
    return os::send_packet(handle(), strait::detail::object_bytes(doorbell), descriptors);
  }

  /// The other side sees the end behind all that was sent.
  void end_sending() const { ::shutdown(handle(), SHUT_WR); }

  /// Takes one packet in. False when there is none, or none is to be received now.
  bool take_packet() {
    if (is_clogged() || !os::can_close_unseen(2 * os::max_descriptors)) return false;
    std::byte packet[1];
    const std::size_t before = descriptors_.size();
    const auto taken = os::receive_packet(handle(), {packet, 1}, descriptors_);
    if (!taken && taken.error() != Errc::would_block) ended_ = taken.error();
    if (descriptors_.size() - before > max_descriptors_) ended_ = Errc::too_many_rights;
    return taken.has_value();
  }
  /// Takes all in. What a peer sends that never stops keeps the socket readable, but no one here.
  void take_packets() {
    for (int i = 0; i != max_packets && !ended_ && take_packet(); ++i) {
    }
  }

  /// What was received and not taken yet.
  os::DescriptorQueue& descriptors() { return descriptors_; }
  const os::DescriptorQueue& descriptors() const { return descriptors_; }
  /// How many of them a record may have: one at least, for a region. More than twice as many are
  /// never here.
  void set_max_descriptors(std::size_t count) { max_descriptors_ = count != 0 ? count : 1; }
  /// Whether some have to be taken before more are received.
  bool is_clogged() const { return descriptors_.size() > max_descriptors_; }

  /// Why nothing more comes: `peer_closed`, `too_many_rights`, those of `recvmsg`.
  std::error_code ended() const { return ended_; }
  void end(std::error_code why) {
    if (!ended_) ended_ = why;
  }

 private:
  os::PeerSocket socket_;
  os::DescriptorQueue descriptors_;
  std::size_t max_descriptors_ = strait::detail::max_rights;
  std::error_code ended_;
};

}  // namespace strait::linux_mach
