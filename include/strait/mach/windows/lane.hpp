#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/ring.hpp"
#include "strait/mach/windows/ring_memory.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/windows/close_unseen.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/named_pipe.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/windows/handle_transfer.hpp"

namespace strait::windows_mach {

using strait::detail::Slice;

/// What both lanes of a link have in common: an event of each side, which the other one sets, and a
/// pipe, over which nothing comes any more but its end. That is when the peer closes it, or dies,
/// and sets this side's event, too.
struct Wire {
  os::PipeEnd pipe;
  os::Descriptor event;
  os::Descriptor peers_event;
  std::error_code ended;

  /// From now on the pipe shows the end alone. Errors: the system's.
  Result<void> watch_end() {
    auto watched = pipe.watch(event.get());
    if (!watched && watched.error() != Errc::peer_closed) return watched;
    ::SetEvent(event.get());  // the peer may have done it already, before this reset it
    return {};
  }

  void ring() const { ::SetEvent(peers_event.get()); }

  /// Takes the doorbell in, and looks for the end.
  void look() {
    ::ResetEvent(event.get());
    if (!ended && pipe.readable()) {
      std::array<std::byte, 1> nothing;
      const auto got = pipe.read(nothing);
      if (got) {
        ended = Errc::malformed;
      } else if (got.error() != Errc::would_block) {
        ended = got.error();
      }
      // Reading may have been begun anew, and the event reset with a doorbell in it.
      ::SetEvent(event.get());
    }
    if (ended) ::SetEvent(event.get());  // as an end stays
  }
};

/// The sending end of a lane.
///
/// Threads: one at a time. Blocking: never.
class SendRight {
 public:
  SendRight() = default;
  SendRight(std::shared_ptr<Wire> wire, RingMemory memory, os::HandleSender handles)
      : wire_(std::move(wire)),
        memory_(std::move(memory)),
        ring_(memory_.writer()),
        handles_(std::move(handles)) {}
  SendRight(SendRight&&) = default;
  SendRight& operator=(SendRight&& other) noexcept {
    close();
    wire_ = std::move(other.wire_);
    memory_ = std::move(other.memory_);
    ring_ = other.ring_;
    handles_ = std::move(other.handles_);
    return *this;
  }
  ~SendRight() { close(); }

  std::size_t max_inline_bytes() const { return ring_.max_bytes(); }
  std::size_t queue_bytes() const { return memory_.capacity(); }

  Result<std::byte*> reserve(std::size_t bytes) {
    if (gone()) [[unlikely]]
      return Errc::peer_closed;
    return ring_.reserve(bytes);
  }
  Result<void> stage(const MessageHeader& header) { return ring_.stage(header), Result<void>(); }
  void publish() {
    if (ring_.publish() != mach_ring::Doorbell::none) [[unlikely]]
      wire_->ring();
  }
  template <class Write>
  [[gnu::always_inline]] inline Result<void> post(const MessageHeader& header, Write&& write) {
    if (gone()) [[unlikely]]
      return Errc::peer_closed;
    const auto wanted = ring_.post(header, write);
    if (!wanted) [[unlikely]]
      return wanted.outcome();
    if (*wanted != mach_ring::Doorbell::none) [[unlikely]]
      wire_->ring();
    return {};
  }

  /// Sends a record with handles, whose numbers go behind the body, unless the receiver has an
  /// inbox for them. They stay the caller's until `keep`. All or nothing.
  ///
  /// Errors: as `reserve`, and as `HandleSender::numbers_of`.
  Result<void> send(MessageHeader header, std::span<const std::byte> body,
                    Slice<const NativeHandle> handles) {
    // The system is asked, as it is for every handle elsewhere: what is sent now is not lost.
    if (gone() || !os::is_whole(wire_->pipe.get())) return Errc::peer_closed;
    header.bytes = static_cast<std::uint32_t>(body.size() + handles_.numbers_for(handles.size()) *
                                                                sizeof(os::HandleNumber));
    header.descriptors = static_cast<std::uint8_t>(handles.size());
    const auto room = reserve(header.bytes);
    if (!room) return room.error();
    // Nothing can fail once they are in an inbox.
    const auto numbers = handles_.numbers_of(handles);
    if (!numbers) return numbers.error();
    if (!body.empty()) std::memcpy(*room, body.data(), body.size());
    if (!numbers->empty()) {
      std::memcpy(*room + body.size(), numbers->data(), numbers->size_bytes());
    }
    ring_.stage(header);
    publish();
    return {};
  }
  /// What was sent last, which is the receiver's when that has taken it.
  void keep(strait::detail::RightList rights) { handles_.keep(std::move(rights)); }

  /// Asks for a doorbell when there is room for `bytes`. True when there is no need to wait.
  bool arm(std::size_t bytes) { return gone() || (ring_.arm(bytes) && !handles_.waits_for_room()); }
  Interest interest() const { return wire_ ? Interest::to_read(wire_->event.get()) : Interest(); }
  void take_doorbells() {
    if (wire_) wire_->look();
  }

 private:
  bool gone() const { return !wire_ || wire_->ended; }
  /// The peer sees the end, whatever else there is of the link, when it has what was sent.
  void close() {
    if (wire_) handles_.leave(std::move(wire_->pipe));
  }

  std::shared_ptr<Wire> wire_;
  RingMemory memory_;
  mach_ring::RingWriter ring_;
  os::HandleSender handles_;
};

/// The receiving end of a lane.
///
/// Threads: one at a time. Blocking: never but in `wait`.
class ReceiveRight {
 public:
  ReceiveRight() = default;
  ReceiveRight(std::shared_ptr<Wire> wire, RingMemory memory, os::HandleReceiver handles)
      : wire_(std::move(wire)),
        memory_(std::move(memory)),
        ring_(memory_.reader()),
        handles_(std::move(handles)) {}

  /// How many handles a record may have here: one at least, for a loan.
  void set_max_descriptors(std::size_t count) { max_handles_ = count != 0 ? count : 1; }

  std::size_t queue_bytes() const { return memory_.capacity(); }
  bool readable() const { return ring_.readable(); }

  /// The bytes that the header tells of are those of the body.
  ///
  /// Errors: `empty`; `peer_closed` when the sender is gone and all it had sent was seen;
  /// `malformed`; `too_many_rights`.
  Result<MessageHeader> peek() {
    auto header = ring_.peek();
    // The end was seen before this look at the ring, which shows all that was published before it.
    if (header.failed_with(Errc::empty) && wire_->ended) [[unlikely]]
      return wire_->ended;
    if (header && header->descriptors != 0) [[unlikely]] {
      const std::size_t bytes = number_bytes(*header);
      if (header->bytes < bytes) return Errc::malformed;
      if (header->descriptors > max_handles_) return Errc::too_many_rights;
      header->bytes -= static_cast<std::uint32_t>(bytes);
    }
    return header;
  }
  const std::byte* body() const { return ring_.body(); }
  void pop(MessageHeader header) {
    if (header.descriptors != 0) [[unlikely]] {
      const std::size_t bytes = number_bytes(header);
      std::memcpy(numbers_.data(), body() + header.bytes, bytes);
      header.bytes += static_cast<std::uint32_t>(bytes);
    }
    if (ring_.pop(header)) wire_->ring();
  }

  /// The handles that came with the record that was popped last, all of them.
  ///
  /// Errors: as `HandleReceiver::take`.
  Result<void> take_descriptors(Slice<os::UnseenDescriptor> handles) {
    const std::size_t count = handles_.numbers_for(handles.size());
    return handles_.take(std::span(numbers_).first(count), handles);
  }

  /// What was not taken out of its process by then is lost.
  bool sender_has_ended() const { return handles_.peer().has_ended(); }

  bool arm() { return wire_->ended || ring_.arm(); }
  bool disarm() { return ring_.disarm(); }
  Result<void> wait(strait::detail::Deadline deadline) {
    return os::wait_for({interest()}, deadline);
  }
  Interest interest() const { return Interest::to_read(wire_->event.get()); }
  void take_doorbells() { wire_->look(); }

 private:
  /// How many bytes behind the body of a record tell of its handles.
  std::size_t number_bytes(const MessageHeader& header) const {
    return handles_.numbers_for(header.descriptors) * sizeof(os::HandleNumber);
  }

  std::shared_ptr<Wire> wire_;
  RingMemory memory_;
  mach_ring::RingReader ring_;
  os::HandleReceiver handles_;
  std::size_t max_handles_ = strait::detail::max_rights;
  std::array<os::HandleNumber, os::max_handle_numbers> numbers_;
};

/// The two ports of a link.
struct LinkPorts {
  ReceiveRight in;
  SendRight out;
};

}  // namespace strait::windows_mach
