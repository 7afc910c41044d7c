#pragma once

#include <fcntl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/shared.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/linux/descriptors_under_way.hpp"
#include "strait/mach/linux/link_socket.hpp"
#include "strait/mach/linux/region.hpp"
#include "strait/mach/linux/ring_memory.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/socket.hpp"

namespace strait::linux_mach {

/// A lane carries messages one way: bytes through a ring in shared memory; descriptors, doorbells
/// and the end of either side through the socket pair of the link.

/// The sending end of a lane.
///
/// Threads: one at a time. Blocking: never.
class SendRight {
 public:
  SendRight() = default;

  /// A new lane.
  static Result<SendRight> create(Shared<LinkSocket> socket, std::size_t ring_bytes) {
    SendRight right;
    auto memory = RingMemory::create(ring_bytes, right.memory_file_);
    if (!memory) return memory.error();
    right.start(std::move(socket), std::move(*memory), 0);
    return right;
  }

  /// The lane whose memory a peer made; `position` is where its former owner was.
  ///
  /// Errors: `bad_region`, `malformed` if it isn't one.
  static Result<SendRight> adopt(Shared<LinkSocket> socket, os::Descriptor memory_file,
                                 std::uint64_t position = 0) {
    if (position % detail::word_bytes != 0) return Errc::malformed;
    auto memory = RingMemory::adopt(memory_file);
    if (!memory) return memory.error();
    SendRight right;
    right.memory_file_ = std::move(memory_file);
    right.start(std::move(socket), std::move(*memory), position);
    return right;
  }

  /// What another process needs to go on sending; with the socket and `position`.
  const os::Descriptor& memory_file() const { return memory_file_; }
  /// For an end that is not handed on: the memory stays mapped without its file.
  void close_memory_file() { memory_file_.reset(); }
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
    const auto sent = socket_->send(descriptors);
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
    if (hung_up_) return true;
    const bool room = ring_.arm(bytes);
    if (blocked_by_ == Blocked::by_ring) return room;
    return blocked_by_ == Blocked::by_descriptors && under_way_.admits(1, ring_.reader_position());
  }
  Interest interest() const {
    return {socket_->handle(), !socket_->is_clogged(), blocked_by_ == Blocked::by_socket};
  }
  /// How many bytes of regions the receiver has not taken yet.
  std::size_t bytes_under_way() const {
    return hung_up_ ? 0 : under_way_.bytes(ring_.reader_position());
  }

  /// Whether what could not be sent has to be tried again after a while: no system tells when this
  /// user's other descriptors have arrived, and a doorbell may stand behind descriptors that are
  /// not to be received yet.
  bool retries() const {
    return !hung_up_ && (blocked_by_ == Blocked::by_user || socket_->is_clogged());
  }

  /// Sends no more, and lets the receiver see the end, though the other port keeps the socket.
  void hang_up() {
    hung_up_ = true;
    socket_->end_sending();
  }

  /// Notices that the receiver is gone, which the link's receive right has seen: the two take
  /// doorbells from one socket.
  void take_doorbells() {
    if (socket_ && socket_->ended() == Errc::peer_closed) hung_up_ = true;
  }

 private:
  [[gnu::noinline]] void ring(Doorbell wanted) {
    wanted == Doorbell::futex ? ring_.ring_futex() : socket_->ring_doorbell();
  }
  void start(Shared<LinkSocket> socket, RingMemory memory, std::uint64_t position) {
    socket_ = std::move(socket);
    memory_ = std::move(memory);
    ring_ = memory_.writer(position);
    hung_up_ = false;
  }

  Shared<LinkSocket> socket_;
  os::Descriptor memory_file_;
  RingMemory memory_;
  RingWriter ring_;
  /// Mutable: what the receiver has taken is noticed when it matters.
  mutable DescriptorsUnderWay under_way_;
  /// What the last message that found no room had none in.
  enum class Blocked : std::uint8_t { by_ring, by_socket, by_descriptors, by_user };
  Blocked blocked_by_ = Blocked::by_ring;
  bool hung_up_ = true;  // a right that was not adopted has no receiver
};

/// The receiving end of a lane, which owns it.
///
/// Threads: one at a time. Blocking: never but in `wait`.
class ReceiveRight {
 public:
  ReceiveRight() = default;

  /// A new lane.
  static Result<ReceiveRight> create(Shared<LinkSocket> socket, std::size_t ring_bytes) {
    ReceiveRight right;
    auto memory = RingMemory::create(ring_bytes, right.memory_file_);
    if (!memory) return memory.error();
    right.start(std::move(socket), std::move(*memory), 0);
    return right;
  }

  /// As `SendRight::adopt`.
  static Result<ReceiveRight> adopt(Shared<LinkSocket> socket, os::Descriptor memory_file,
                                    std::uint64_t position = 0) {
    if (position % detail::word_bytes != 0) return Errc::malformed;
    auto memory = RingMemory::adopt(memory_file);
    if (!memory) return memory.error();
    ReceiveRight right;
    right.memory_file_ = std::move(memory_file);
    right.start(std::move(socket), std::move(*memory), position);
    return right;
  }
  /// How many descriptors a record may have here.
  void set_max_descriptors(std::size_t count) { socket_->set_max_descriptors(count); }

  /// What the former owner had taken out of the socket, and was not asked for.
  void put_back(os::DescriptorQueue descriptors) {
    socket_->descriptors() = std::move(descriptors);
  }

  /// Gets ready to be adopted elsewhere. Errors: why there would be no more, but for `peer_closed`,
  /// which the next owner sees, too.
  Result<void> settle() {
    if (const auto end = socket_->ended(); end && end != Errc::peer_closed) return end;
    if (ring_.show_position()) socket_->ring_doorbell();
    return {};
  }

  /// What another process needs to go on receiving; with `position` and `descriptors`.
  const LinkSocket& socket() const { return *socket_; }
  const os::Descriptor& memory_file() const { return memory_file_; }
  /// As `SendRight::close_memory_file`.
  void close_memory_file() { memory_file_.reset(); }
  std::uint64_t position() const { return ring_.position(); }
  const os::DescriptorQueue& descriptors() const { return socket_->descriptors(); }

  std::size_t queue_bytes() const { return memory_.capacity(); }

  bool readable() const { return ring_.readable(); }

  /// The next record.
  ///
  /// Errors: `empty`; `peer_closed` when the sender is gone and all it had sent was seen;
  /// `malformed`.
  Result<MessageHeader> peek() {
    auto header = ring_.peek();
    // The end was seen before this look at the ring, which shows all that was published before it.
    if (header.failed_with(Errc::empty) && socket_->ended()) [[unlikely]]
      return socket_->ended();
    return header;
  }

  /// The body that `peek` saw, in shared memory: copy it before looking at it.
  const std::byte* body() const { return ring_.body(); }

  void pop(const MessageHeader& header) {
    if (ring_.pop(header)) [[unlikely]]
      socket_->ring_doorbell();
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
    os::DescriptorQueue& here = socket_->descriptors();
    for (int i = 0; here.size() < wanted.size(); ++i) {
      // They were sent before the record, so either they are here or there are none.
      if (i == LinkSocket::max_packets || !socket_->take_packet()) {
        return socket_->ended() ? socket_->ended() : Errc::malformed;
      }
    }
    for (std::size_t i = 0; i != wanted.size(); ++i) wanted[i] = here.pop();
    return {};
  }

  /// Whether descriptors are here whose record is not: an honest sender shows it in the next
  /// moment.
  bool has_early_descriptors() const {
    return socket_->descriptors().size() != 0 && !ring_.readable();
  }

  /// Asks for a doorbell with the next record. True when there is no need to wait.
  bool arm() {
    // The last doorbell is still in the socket: it was not worth a system call while there were
    // records to read.
    if (doorbell_due_ && socket_->take_packet()) doorbell_due_ = false;
    futex_rung_ = false;
    return socket_->ended() || ring_.arm();
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
  Interest interest() const { return Interest::to_read(socket_->handle()); }

  /// Takes in all that is in the socket and notices that the sender is gone.
  void take_doorbells() {
    doorbell_due_ = false;
    socket_->take_packets();
    // An honest sender shows each record before it sends the next one's descriptors.
    if (socket_->is_clogged() && !ring_.readable()) socket_->end(Errc::malformed);
  }

 private:
  /// How late a sender's end may be noticed by a receiver that has just begun to wait.
  static constexpr std::chrono::nanoseconds brief = std::chrono::milliseconds{10};

  void start(Shared<LinkSocket> socket, RingMemory memory, std::uint64_t position) {
    socket_ = std::move(socket);
    memory_ = std::move(memory);
    ring_ = memory_.reader(position);
  }

  Shared<LinkSocket> socket_;
  os::Descriptor memory_file_;
  RingMemory memory_;
  RingReader ring_;
  bool doorbell_due_ = false;
  bool futex_rung_ = false;
};

}  // namespace strait::linux_mach
