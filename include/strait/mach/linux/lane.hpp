#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/object_bytes.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/linux/descriptors_under_way.hpp"
#include "strait/mach/linux/region.hpp"
#include "strait/mach/linux/ring_memory.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::linux_mach {

using strait::detail::Slice;

/// A lane carries messages one way: bytes through a ring in shared memory; descriptors, doorbells
/// and the end of either side through a socket pair. The receiver makes it and hands the sending
/// end to the process that shall send.

/// One end of a lane, as what another process needs of it; a sending end stands for a send right in
/// a message. A process that may hand an end on keeps the memory's descriptor.
struct LaneEnd {
  os::PeerSocket socket;
  os::Descriptor memory;

  /// The next two of the descriptors that a peer sent.
  ///
  /// Errors: `malformed`, `bad_region` if they are something else; nothing was asked of them that
  /// could take long, and closing what is left won't.
  static Result<LaneEnd> adopt(os::DescriptorQueue& descriptors);
};

/// Whether a descriptor that a peer sent can be the socket of a lane.
inline bool is_lane_socket(const os::Descriptor& socket) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
         type == SOCK_SEQPACKET;
}

inline Result<LaneEnd> LaneEnd::adopt(os::DescriptorQueue& descriptors) {
  os::UnseenDescriptor socket = descriptors.pop();
  os::UnseenDescriptor memory = descriptors.pop();
  if (!is_lane_socket(socket)) return Errc::malformed;
  if (!os::closes_at_once(memory.get())) return Errc::bad_region;
  return LaneEnd{os::PeerSocket(std::move(socket)), std::move(memory)};
}

/// The least a doorbell can be: an empty packet would look like the end.
inline constexpr std::byte doorbell{0};

/// Wakes the other end if it waits. If the socket is full, it is readable, too.
inline void ring_doorbell(const os::Descriptor& socket) {
  os::retry([&] { return ::send(socket.get(), &doorbell, 1, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

/// The sending end of a lane.
///
/// Threads: one at a time. Blocking: never.
class SendRight {
 public:
  SendRight() = default;

  /// Takes a sending end that a peer made; `position` is where its former owner was.
  ///
  /// Errors: `bad_region`, `malformed` if it isn't one.
  static Result<SendRight> adopt(LaneEnd end, std::uint64_t position = 0) {
    if (!is_lane_socket(end.socket) || position % detail::word_bytes != 0) return Errc::malformed;
    auto memory = RingMemory::adopt(end.memory);
    if (!memory) return memory.error();
    SendRight right;
    right.end_ = std::move(end);
    right.memory_ = std::move(*memory);
    right.ring_ = right.memory_.writer(position);
    right.hung_up_ = false;
    return right;
  }

  /// What another process needs to go on sending; with `position`.
  const LaneEnd& end() const { return end_; }
  /// For an end that is not handed on: the memory stays mapped without its file.
  void close_memory_file() { end_.memory.reset(); }
  std::uint64_t position() const { return ring_.position(); }

  std::size_t max_inline_bytes() const { return ring_.max_bytes(); }
  std::size_t queue_bytes() const { return memory_.capacity(); }

  Result<std::byte*> reserve(std::size_t bytes) {
    if (hung_up_) [[unlikely]]
      return Errc::peer_closed;
    auto room = ring_.reserve(bytes);
    // What was to go by the socket may go by the ring now, so only the ring counts.
    if (!room) [[unlikely]]
      blocked_by_ = Blocked::by_ring;
    return room;
  }

  Result<void> stage(MessageHeader header) { return ring_.stage(header), Result<void>(); }

  void publish() {
    if (const Doorbell wanted = ring_.publish(); wanted != Doorbell::none) [[unlikely]]
      ring(wanted);
  }
  template <class Write>
  [[gnu::always_inline]] inline Result<void> post(const MessageHeader& header, Write&& write) {
    if (hung_up_) [[unlikely]]
      return Errc::peer_closed;
    const auto wanted = ring_.post(header, write);
    if (!wanted) [[unlikely]] {
      blocked_by_ = Blocked::by_ring;
      return wanted.outcome();
    }
    if (*wanted != Doorbell::none) [[unlikely]]
      ring(*wanted);
    return {};
  }

  /// Sends a record with descriptors, which stay the caller's. All or nothing.
  ///
  /// Errors: `would_block`, also when too many descriptors are under way, here or in all that this
  /// user has sent; `peer_closed`; those of `sendmsg`.
  Result<void> send(MessageHeader header, std::span<const std::byte> body,
                    Slice<const int> descriptors, std::size_t region_bytes = 0) {
    header.bytes = static_cast<std::uint32_t>(body.size());
    header.descriptors = static_cast<std::uint8_t>(descriptors.size());
    const auto room = reserve(body.size());
    if (!room) return room.error();
    if (!under_way_.admits(descriptors.size(), ring_.reader_position())) {
      blocked_by_ = Blocked::by_descriptors;
      return Errc::would_block;
    }
    // The descriptors first: a reader that sees the record finds them.
    const auto sent =
        os::send_packet(end_.socket.get(), strait::detail::object_bytes(doorbell), descriptors);
    if (!sent) {
      if (sent.error() == Errc::would_block) blocked_by_ = Blocked::by_socket;
      if (sent.error() != os::system_error(ETOOMANYREFS)) return sent;
      blocked_by_ = Blocked::by_user;
      return Errc::would_block;
    }
    if (!body.empty()) std::memcpy(*room, body.data(), body.size());
    ring_.stage(header);
    under_way_.add(descriptors.size(), ring_.position(), region_bytes);
    blocked_by_ = Blocked::by_ring;
    publish();
    return {};
  }

  Result<void> send(MessageHeader header, std::span<const std::byte> body, const Region& region) {
    return send(header, body, std::array{region.descriptor()}, region.size());
  }

  /// Asks for a doorbell when there is room for `bytes`. True when there is no need to wait.
  bool arm(std::size_t bytes) {
    armed_ = true;
    if (hung_up_) return true;
    const bool room = ring_.arm(bytes);
    if (blocked_by_ == Blocked::by_ring) return room;
    return blocked_by_ == Blocked::by_descriptors && under_way_.admits(1, ring_.reader_position());
  }
  Interest interest() const { return {end_.socket.get(), true, blocked_by_ == Blocked::by_socket}; }
  /// How many bytes of regions the receiver has not taken yet.
  std::size_t bytes_under_way() const {
    return hung_up_ ? 0 : under_way_.bytes(ring_.reader_position());
  }

  /// Whether what could not be sent has to be tried again after a while: no system tells when this
  /// user's other descriptors have arrived.
  bool retries() const { return blocked_by_ == Blocked::by_user; }

  /// Takes in the doorbell that was asked for, or notices that the receiver is gone.
  void take_doorbells() {
    if (!armed_) return;
    std::byte packet[1];
    const ssize_t got = os::receive_plain(end_.socket.get(), packet);
    if (got > 0) armed_ = false;
    if (got == 0 || (got < 0 && errno != EAGAIN)) hung_up_ = true;
  }

 private:
  [[gnu::noinline]] void ring(Doorbell wanted) {
    wanted == Doorbell::futex ? ring_.ring_futex() : ring_doorbell(end_.socket);
  }

  LaneEnd end_;
  RingMemory memory_;
  RingWriter ring_;
  /// Mutable: what the receiver has taken is noticed when it matters.
  mutable DescriptorsUnderWay under_way_;
  /// What the last message that found no room had none in.
  enum class Blocked : std::uint8_t { by_ring, by_socket, by_descriptors, by_user };
  Blocked blocked_by_ = Blocked::by_ring;
  bool armed_ = false;
  bool hung_up_ = true;  // a right that was not adopted has no receiver
};

/// The receiving end of a lane, which owns it.
///
/// Threads: one at a time. Blocking: never but in `wait`.
class ReceiveRight {
 public:
  ReceiveRight() = default;

  /// A new lane. `make_send_right` can be called once.
  static Result<ReceiveRight> create(std::size_t ring_bytes) {
    auto sockets = os::socket_pair(SOCK_SEQPACKET);
    if (!sockets) return sockets.error();
    ReceiveRight right;
    right.end_.socket = os::PeerSocket(std::move((*sockets)[0]));
    right.send_end_.socket = os::PeerSocket(std::move((*sockets)[1]));
    auto memory = RingMemory::create(ring_bytes, right.end_.memory);
    if (!memory) return memory.error();
    right.send_end_.memory = os::duplicate(right.end_.memory.get());
    if (!right.send_end_.memory) return os::last_error();
    right.memory_ = std::move(*memory);
    right.ring_ = right.memory_.reader();
    return right;
  }

  /// Takes a receiving end whose former owner was at `position`.
  ///
  /// Errors: `bad_region`, `malformed` if it isn't one.
  static Result<ReceiveRight> adopt(LaneEnd end, std::uint64_t position) {
    if (!is_lane_socket(end.socket) || position % detail::word_bytes != 0) return Errc::malformed;
    auto memory = RingMemory::adopt(end.memory);
    if (!memory) return memory.error();
    ReceiveRight right;
    right.end_ = std::move(end);
    right.memory_ = std::move(*memory);
    right.ring_ = right.memory_.reader(position);
    return right;
  }
  /// How many descriptors a record may have here: one at least, for a region. More than twice as
  /// many are never here.
  void set_max_descriptors(std::size_t count) { max_descriptors_ = count != 0 ? count : 1; }

  /// What the former owner had taken out of the socket, and was not asked for.
  void put_back(os::DescriptorQueue descriptors) { descriptors_ = std::move(descriptors); }

  /// Gets ready to be adopted elsewhere. Errors: why there would be no more, but for `peer_closed`,
  /// which the next owner sees, too.
  Result<void> settle() {
    if (ended_ && ended_ != Errc::peer_closed) return ended_;
    if (ring_.show_position()) ring_doorbell(end_.socket);
    return {};
  }

  /// What another process needs to go on receiving; with `position` and `descriptors`.
  const LaneEnd& end() const { return end_; }
  /// As `SendRight::close_memory_file`.
  void close_memory_file() { end_.memory.reset(); }
  std::uint64_t position() const { return ring_.position(); }
  const os::DescriptorQueue& descriptors() const { return descriptors_; }

  /// The sending end. This side keeps none of its socket, so that the lane dies with the process
  /// that has it.
  LaneEnd make_send_right() { return std::move(send_end_); }

  std::size_t queue_bytes() const { return memory_.capacity(); }

  bool readable() const { return ring_.readable(); }

  /// The next record.
  ///
  /// Errors: `empty`; `peer_closed` when the sender is gone and all it had sent was seen;
  /// `malformed`.
  Result<MessageHeader> peek() {
    auto header = ring_.peek();
    // The end was seen before this look at the ring, which shows all that was published before it.
    if (header.failed_with(Errc::empty) && ended_) [[unlikely]]
      return ended_;
    return header;
  }

  /// The body that `peek` saw, in shared memory: copy it before looking at it.
  const std::byte* body() const { return ring_.body(); }

  void pop(const MessageHeader& header) {
    if (ring_.pop(header)) ring_doorbell(end_.socket);
  }

  /// The region that came with a record of one descriptor.
  ///
  /// Errors: `bad_region`; `malformed` if there is none.
  Result<Region> take_region(std::size_t size) {
    os::UnseenDescriptor file[1];
    if (auto taken = take_descriptors(file); !taken) return taken.error();
    if (!os::closes_at_once(file[0].get())) return Errc::bad_region;
    return Region::adopt(std::move(file[0]), size);
  }

  /// The descriptors that came with a record.
  ///
  /// Errors: `malformed` if there are fewer; `rights_lost` if this process had no room for them.
  Result<void> take_descriptors(Slice<os::UnseenDescriptor> wanted) {
    for (int i = 0; descriptors_.size() < wanted.size(); ++i) {
      // They were sent before the record, so either they are here or there are none.
      if (i == max_packets || !take_packet()) return ended_ ? ended_ : Errc::malformed;
    }
    for (std::size_t i = 0; i != wanted.size(); ++i) wanted[i] = descriptors_.pop();
    return {};
  }

  /// Whether descriptors are here whose record is not: an honest sender shows it in the next
  /// moment.
  bool has_early_descriptors() const { return descriptors_.size() != 0 && !ring_.readable(); }

  /// Asks for a doorbell with the next record. True when there is no need to wait.
  bool arm() {
    // The last doorbell is still in the socket: it was not worth a system call while there were
    // records to read.
    if (doorbell_due_ && take_packet()) doorbell_due_ = false;
    futex_rung_ = false;
    return ended_ || ring_.arm();
  }
  bool disarm() {
    const bool rung = ring_.disarm();
    doorbell_due_ = doorbell_due_ || (rung && !futex_rung_);
    futex_rung_ = false;
    return rung;
  }

  /// Sleeps, when armed, until a doorbell rings, the sender is gone, or the deadline; it may end
  /// early. At first on a futex, which costs a tenth less than a socket and leaves nothing to take
  /// in, but does not show the sender's end: a sleep that lasts goes over to the socket.
  Result<void> wait(strait::detail::Deadline deadline) {
    if (!ring_.change_doorbell(Doorbell::socket, Doorbell::futex)) return {};
    ring_.sleep(deadline.left_up_to(brief));
    futex_rung_ = !ring_.change_doorbell(Doorbell::futex, Doorbell::socket);
    if (futex_rung_) return {};
    return os::wait_for({interest()}, deadline);
  }
  Interest interest() const { return Interest::to_read(end_.socket.get()); }

  /// Takes in all that is in the socket and notices that the sender is gone.
  void take_doorbells() {
    doorbell_due_ = false;
    // What is left keeps the socket readable: a peer that never stops does not keep this side here.
    for (int i = 0; i != max_packets && !ended_ && take_packet(); ++i) {
    }
    // An honest sender shows each record before it sends the next one's descriptors.
    if (!ended_ && descriptors_.size() > max_descriptors_ && !ring_.readable()) {
      ended_ = Errc::malformed;
    }
  }

 private:
  /// As many as a socket holds.
  static constexpr int max_packets = 256;

  /// How late a sender's end may be noticed by a receiver that has just begun to wait.
  static constexpr std::chrono::nanoseconds brief = std::chrono::milliseconds{10};

  bool take_packet() {
    if (descriptors_.size() > max_descriptors_ || !os::can_close_unseen(2 * os::max_descriptors)) {
      return false;
    }
    std::byte packet[1];
    const std::size_t before = descriptors_.size();
    const auto taken = os::receive_packet(end_.socket.get(), {packet, 1}, descriptors_);
    if (!taken && taken.error() != Errc::would_block) ended_ = taken.error();
    if (descriptors_.size() - before > max_descriptors_) ended_ = Errc::too_many_rights;
    return taken.has_value();
  }

  LaneEnd end_;
  LaneEnd send_end_;
  RingMemory memory_;
  RingReader ring_;
  os::DescriptorQueue descriptors_;
  std::size_t max_descriptors_ = strait::detail::max_rights;
  bool doorbell_due_ = false;
  bool futex_rung_ = false;
  std::error_code ended_;
};

}  // namespace strait::linux_mach
