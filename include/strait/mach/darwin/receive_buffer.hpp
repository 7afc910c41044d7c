#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "strait/base/deadline.hpp"
#include "strait/mach/darwin/right.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/posix/error.hpp"

namespace strait::darwin_mach {

/// Where messages are received to. It grows to what the kernel reports, up to a limit, and stays
/// warm.
template <class Traps>
class ReceiveBuffer {
 public:
  /// Receives one message, which is the caller's then: with all that it carries.
  ///
  /// Errors: `empty` (also when a signal came), `message_too_large` (it is still in the port),
  /// `malformed`, `not_enough_memory`, `EINVAL` when there is no such port.
  /// Blocking: up to the deadline, in whole milliseconds.
  Result<void> receive(PortName port, std::size_t max_bytes, strait::detail::Deadline deadline) {
    if (!buffer_.reserve(first_bytes)) return strait::detail::no_memory();
    for (;;) {
      Options options = option::receive | option::receive_large | option::receive_interrupt |
                        option::audit_trailer;
      if (!deadline.is_never()) options |= option::receive_timeout;
      const int limit = deadline.is_never() ? 0 : deadline.poll_milliseconds();
      const Return result =
          Traps::message(buffer_.data(), options, 0, static_cast<std::uint32_t>(buffer_.capacity()),
                         port, static_cast<std::uint32_t>(limit));
      switch (result & ~extra_failures) {
        case success: return understand();
        case receive::timed_out:
        case receive::interrupted: return Errc::empty;
        case receive::too_large: {
          // What the kernel has there, not what a sender says of it.
          const std::size_t wanted =
              round_message(read_at<Header>(received(), 0).size) + max_trailer_bytes;
          if (wanted > max_bytes || wanted <= buffer_.capacity()) return Errc::message_too_large;
          if (!buffer_.reserve(wanted)) return strait::detail::no_memory();
          break;
        }
        case receive::header_error:
        case receive::body_error:
          destroy<Traps>(message_of(received()));
          return strait::detail::no_memory();
        default: return os::system_error(EINVAL);
      }
    }
  }

  /// Has the kernel destroy the next message, which was too large.
  void discard(PortName port) {
    Traps::message(buffer_.data(), option::receive | option::receive_timeout, 0,
                   sizeof(Header) + max_trailer_bytes, port, 0);
  }

  /// What was received last, and its sender.
  std::span<const std::byte> message() const { return message_; }
  const AuditToken& sender() const { return sender_; }

 private:
  static constexpr std::size_t first_bytes = 4096;

  std::span<const std::byte> received() { return {buffer_.data(), buffer_.capacity()}; }

  Result<void> understand() {
    message_ = message_of(received());
    const auto sender = sender_of(received());
    if (!sender) {
      destroy<Traps>(message_);
      return sender.error();
    }
    sender_ = *sender;
    return {};
  }

  strait::detail::ByteBuffer buffer_;
  std::span<const std::byte> message_;
  AuditToken sender_{};
};

}  // namespace strait::darwin_mach
