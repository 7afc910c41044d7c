#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/darwin/receive_buffer.hpp"
#include "strait/mach/darwin/region.hpp"
#include "strait/mach/darwin/send_right.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/close_unseen.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::darwin_mach {

using strait::detail::Slice;

inline PeerCredentials credentials_of(const AuditToken& sender) {
  return {sender.user(), sender.group(), sender.process()};
}

/// The right to receive from a port, which only one peer is believed to send to.
///
/// Threads: one at a time. Blocking: never but in `wait`.
template <class Traps>
class ReceiveRight {
 public:
  ReceiveRight() = default;

  /// A new port. It is the first sender's, from then on; `make_send_right` can be called once.
  ///
  /// Errors: `not_enough_memory`, those of the descriptor for `interest`.
  static Result<ReceiveRight> create(std::size_t queue_bytes) {
    using strait::detail::max;
    using strait::detail::min;
    auto port = OwnedReceive<Traps>::allocate(static_cast<std::uint32_t>(
        min(max_queue_limit, max(min_queue_limit, queue_bytes / bytes_per_message))));
    if (!port) return port.error();
    if (Traps::make_send(port->name()) != success) {
      return strait::detail::no_memory();
    }
    ReceiveRight right;
    right.send_right_ = OwnedSend<Traps>(port->name());
    // To the port itself: a receiver that hears that all senders are gone has received what they
    // had sent.
    PortName previous = null_port;
    if (Traps::request_notification(port->name(), Notification::no_senders, 0, port->name(),
                                    previous) != success) {
      return strait::detail::no_memory();
    }
    auto events = Traps::PortEvents::watch(port->name());
    if (!events) return events.error();
    right.incoming_.events = std::move(*events);
    right.incoming_.port = std::move(*port);
    return right;
  }

  /// A new port for the sender of a message that was received before, and for no other.
  static Result<ReceiveRight> create_for(const AuditToken& sender, std::size_t queue_bytes) {
    auto right = create(queue_bytes);
    if (!right) return right;
    right->incoming_.sender = sender;
    return right;
  }

  OwnedSend<Traps> make_send_right() { return std::move(send_right_); }

  /// Takes a message in if there is none yet: Mach has no memory to look at.
  bool readable() const { return incoming_.take_in(strait::detail::Deadline::now()); }

  /// Errors: `empty`; `peer_closed` when all senders are gone; `malformed` when a message came from
  /// another process than the peer, or is no message of this library; those of
  /// `ReceiveBuffer::receive`.
  Result<MessageHeader> peek() {
    if (!incoming_.take_in(strait::detail::Deadline::now())) return Errc::empty;
    if (incoming_.ended) return incoming_.ended;
    return incoming_.parsed_message.header;
  }

  const std::byte* body() const {
    return incoming_.inbox.message().data() + incoming_.parsed_message.body_at;
  }

  void pop(const MessageHeader&) {
    arrived_rights_ = std::move(incoming_.rights);
    arrived_memory_ = std::exchange(incoming_.memory, {});
    incoming_.held = false;
  }

  /// Errors: `bad_region` if it is shorter; `malformed` if there is none.
  Result<Region<Traps>> take_region(std::size_t size) {
    auto memory = std::exchange(arrived_memory_, {});
    if (memory.size() == 0) return Errc::malformed;
    return Region<Traps>::adopt(std::move(memory), size);
  }

  /// Errors: those of `SendRight::adopt`.
  Result<SendRight<Traps>> take_send_right() {
    return SendRight<Traps>::adopt(arrived_rights_.take_only());
  }

  /// Opens the files that came as rights, closed on exec.
  ///
  /// Errors: `malformed` if there are not so many, or one is no file but another port, or an object
  /// of the kernel's; `rights_lost` without room for them.
  Result<void> take_descriptors(Slice<os::UnseenDescriptor> out) {
    const auto rights = std::move(arrived_rights_);
    if (rights.names().size() != out.size()) return Errc::malformed;
    for (std::size_t i = 0; i != out.size(); ++i) {
      const PortName name = rights.names()[i];
      if (!is_name(name)) return Errc::malformed;  // a port that died under way was no file
      auto file = Traps::open_fileport(name);
      if (!file) return os::is_exhaustion(file.error()) ? Errc::rights_lost : Errc::malformed;
      out[i] = std::move(*file);
    }
    return {};
  }

  bool arm() { return readable(); }
  bool disarm() { return false; }

  /// Sleeps in the system call that receives the next message.
  Result<void> wait(strait::detail::Deadline deadline) {
    incoming_.take_in(deadline);
    return {};
  }
  Interest interest() const { return Interest::to_read(incoming_.events.native_handle()); }
  void take_doorbells() {}

  /// The sender of all that was received; all zeros before the first message.
  PeerCredentials sender() const { return credentials_of(incoming_.sender); }

 private:
  // A queue counts messages, not bytes.
  static constexpr std::size_t bytes_per_message = std::size_t{4} << 10;
  static constexpr std::size_t min_queue_limit = 16;

  struct Incoming {
    OwnedReceive<Traps> port;
    typename Traps::PortEvents events;
    /// What the events say may be of a message that was received since they were cleared.
    bool events_are_old = false;
    ReceiveBuffer<Traps> inbox;
    /// All zeros, which is the kernel, while any process may be the first one.
    AuditToken sender{};
    bool held = false;
    std::error_code ended;
    ParsedMessage parsed_message;
    OwnedSends<Traps> rights;
    OwnedMemory<Traps> memory;

    /// True when a message is held, or there will be none.
    bool take_in(strait::detail::Deadline deadline) {
      while (!held && !ended) {
        const auto received = inbox.receive(port.name(), received_bytes(max_body_bytes), deadline);
        if (received) {
          events_are_old = true;
          accept();
        } else if (received.error() == Errc::empty) {
          if (std::exchange(events_are_old, false)) events.clear();
          return false;
        } else {
          ended = received.error() == Errc::message_too_large ? make_error_code(Errc::malformed)
                                                              : received.error();
        }
      }
      return true;
    }

    void accept() {
      const auto message = inbox.message();
      if (inbox.sender().is_kernel()) {
        if (read_at<Header>(message, 0).id == static_cast<std::int32_t>(Notification::no_senders)) {
          ended = make_error_code(Errc::peer_closed);
        }
        return destroy<Traps>(message);
      }
      if (sender.is_kernel()) sender = inbox.sender();
      const auto parsed = parse(message);
      if (!parsed || !inbox.sender().is_same_process(sender)) {
        ended = make_error_code(Errc::malformed);
        return destroy<Traps>(message);
      }
      parsed_message = *parsed;
      for (std::size_t i = 0; i != parsed_message.rights; ++i) rights.push(right_in(message, i));
      memory = OwnedMemory<Traps>(parsed_message.region_address, parsed_message.region_bytes);
      held = true;
    }
  };

  // That a message has moved from the kernel to this process changes nothing that can be seen.
  mutable Incoming incoming_;
  OwnedSend<Traps> send_right_;
  OwnedSends<Traps> arrived_rights_;
  OwnedMemory<Traps> arrived_memory_;
};

}  // namespace strait::darwin_mach
