#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/darwin/receive_buffer.hpp"
#include "strait/mach/darwin/region.hpp"
#include "strait/mach/darwin/send_possible_request.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/error.hpp"

namespace strait::darwin_mach {

using strait::detail::Slice;

/// No message of ours has a larger body: the kernel copies it into memory that it can't page out.
inline constexpr std::size_t max_body_bytes = std::size_t{64} << 10;

/// Sends a message that was laid out, or leaves everything as it was: the kernel gives back a
/// message that found no room as if it had been received, and all of that is dropped again here
/// (what the caller owns was only copied).
///
/// Errors: `would_block`, `peer_closed`, `not_enough_memory` (for now), `permission_denied` when a
/// sandbox lets no such message through, `EINVAL` for what only a mistake in this library can
/// cause.
/// Blocking: never.
template <class Traps>
Result<void> send_once(std::span<std::byte> message) {
  const Return result =
      Traps::message(message.data(), option::send | option::send_timeout | option::send_interrupt,
                     static_cast<std::uint32_t>(message.size()), 0, null_port, 0);
  if (result == success) return {};
  if (was_given_back(message)) destroy<Traps>(message);
  switch (result & ~extra_failures) {
    case send::timed_out: return Errc::would_block;
    case send::interrupted: return std::make_error_code(std::errc::interrupted);
    case send::invalid_dest: return Errc::peer_closed;
    case success:  // nothing but one of the extra bits: `no_kernel_memory`
    case send::no_buffer: return strait::detail::no_memory();
    case send::filtered: return Errc::permission_denied;
    default: return os::system_error(EINVAL);
  }
}

/// The right to send to a port.
///
/// Threads: one at a time. Blocking: never.
template <class Traps>
class SendRight {
 public:
  SendRight() = default;

  /// Takes a send right that a peer gave.
  ///
  /// Errors: `peer_closed` if the port is gone; `malformed` if it is no port of messages but one
  /// of the kernel's own objects (a task, a semaphore): a process that sends there is killed for
  /// it.
  static Result<SendRight> adopt(OwnedSend<Traps> right) {
    if (right.name() == dead_port) return Errc::peer_closed;
    if (right.name() == null_port) return Errc::malformed;
    std::uint32_t object = 0;
    const Return asked = Traps::kernel_object(right.name(), object);
    // It died after it had arrived. macOS 13 and later say the first, earlier ones the second.
    if (asked == kern::invalid_name || asked == kern::invalid_right) return Errc::peer_closed;
    if (asked != success || object != 0) return Errc::malformed;
    SendRight adopted;
    adopted.right_ = std::move(right);
    adopted.closed_ = false;
    return adopted;
  }

  std::size_t max_inline_bytes() const { return max_body_bytes; }

  Result<std::byte*> reserve(std::size_t bytes) { return reserve_at(plain_body_at, bytes); }

  /// Sends the reserved message. Errors: as `send_once`; nothing was sent.
  Result<void> stage(const MessageHeader& header) {
    return dispatch([&] { return lay_out(buffer_.data(), right_.name(), header); });
  }

  /// Every message is sent as it is staged.
  void publish() {}
  template <class Write>
  Result<void> post(const MessageHeader& header, Write&& write) {
    const auto room = reserve(header.bytes);
    if (!room) return room.error();
    write(*room);
    return stage(header);
  }

  /// Whether a descriptor can travel: files, sockets, pipes and shared memory can, queues of events
  /// can't.
  static bool carries(int descriptor) {
    const auto port = Traps::make_fileport(descriptor);
    if (!port) return port.error() != std::errc::invalid_argument;
    const OwnedSend<Traps> dropped(*port);
    return true;
  }

  /// Sends a message with a region, which stays the caller's, or with a right, which does, too.
  Result<void> send(MessageHeader header, std::span<const std::byte> body,
                    const Region<Traps>& region) {
    return send_with(header, body, region.descriptor());
  }
  Result<void> send(MessageHeader header, std::span<const std::byte> body,
                    const OwnedSend<Traps>& right) {
    return send_with(header, body, copy_of_right(right.name()));
  }
  /// With descriptors, of which the receiver gets copies: each travels as a right to the file.
  ///
  /// Errors: as `stage`; those of the descriptors.
  Result<void> send(MessageHeader header, std::span<const std::byte> body,
                    Slice<const int> descriptors) {
    header.bytes = static_cast<std::uint32_t>(body.size());
    const auto room = reserve_at(body_behind_rights(descriptors.size()), body.size());
    if (!room) return room.error();
    if (!body.empty()) std::memcpy(*room, body.data(), body.size());
    OwnedSends<Traps> files;
    for (const int descriptor : descriptors) {
      const auto file = Traps::make_fileport(descriptor);
      if (!file) {
        return file.error() == std::errc::resource_unavailable_try_again ? later() : file.error();
      }
      files.push(*file);
    }
    return dispatch(
        [&] { return lay_out_rights(buffer_.data(), right_.name(), header, files.names()); });
  }

  /// After `would_block`: has `interest` be ready when there is room. True when there may be some.
  bool arm(std::size_t) {
    take_doorbells();
    if (closed_) return true;
    if (room_.pending()) return false;
    return !retry_later_ || !room_.wake_in(std::chrono::milliseconds{1});
  }
  Interest interest() const { return Interest::to_read(room_.native_handle()); }

  /// Takes in what the kernel has to say of the port: that it has room again, or is gone.
  void take_doorbells() {
    if (room_.pending() && room_.take() == SendPossibleRequest<Traps>::Answer::gone) closed_ = true;
  }

 private:
  Result<std::byte*> reserve_at(std::size_t body_at, std::size_t bytes) {
    take_doorbells();
    if (closed_) [[unlikely]]
      return Errc::peer_closed;
    if (room_.pending()) [[unlikely]]
      return Errc::would_block;
    if (std::exchange(retry_later_, false)) room_.cancel_retry();
    buffer_.clear();
    if (!buffer_.reserve(round_message(body_at + bytes))) {
      return strait::detail::no_memory();
    }
    return buffer_.data() + body_at;
  }

  template <class Descriptor>
  Result<void> send_with(MessageHeader header, std::span<const std::byte> body,
                         const Descriptor& descriptor) {
    header.bytes = static_cast<std::uint32_t>(body.size());
    const auto room = reserve_at(body_behind<Descriptor>, body.size());
    if (!room) return room.error();
    if (!body.empty()) std::memcpy(*room, body.data(), body.size());
    return dispatch([&] { return lay_out(buffer_.data(), right_.name(), header, descriptor); });
  }

  /// The kernel has no memory for now; nothing tells when it has some again.
  std::error_code later() {
    room_.prepare();
    retry_later_ = true;
    return make_error_code(Errc::would_block);
  }

  template <class LayOut>
  Result<void> dispatch(LayOut&& lay_out) {
    for (;;) {
      // Each time anew: a message that was given back is not the one that was sent.
      const std::size_t size = lay_out();
      const auto sent = send_once<Traps>({buffer_.data(), size});
      if (sent) [[likely]]
        return sent;
      if (sent.error() == std::errc::interrupted) continue;
      if (sent.error() == Errc::would_block) {
        retry_later_ = !room_.ask(right_.name());
      } else if (sent.error() == std::errc::not_enough_memory) {
        return later();
      } else if (sent.error() == Errc::peer_closed) {
        closed_ = true;
      }
      return sent;
    }
  }

  OwnedSend<Traps> right_;
  SendPossibleRequest<Traps> room_;  // behind the right, which it is about: it goes first
  strait::detail::ByteBuffer buffer_;
  bool retry_later_ = false;  // nothing will say when
  bool closed_ = true;        // a right that was not adopted has no receiver
};

}  // namespace strait::darwin_mach
