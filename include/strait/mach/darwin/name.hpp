#pragma once

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/detail/channel_name.hpp"
#include "strait/detail/deadline.hpp"
#include "strait/detail/handshake_bytes.hpp"
#include "strait/mach/darwin/receive_right.hpp"
#include "strait/mach/darwin/send_right.hpp"
#include "strait/peer.hpp"

namespace strait::darwin_mach {

/// A name as `launchd` knows it, in the login session's namespace.
class ServiceName {
 public:
  /// Errors: `invalid_name`, also if it is too long with its prefix.
  static Result<ServiceName> of(std::string_view prefix, std::string_view name) {
    if (auto checked = strait::detail::check_name(name); !checked) return checked.error();
    ServiceName service;
    if (prefix.size() + name.size() >= sizeof service.text_) return Errc::invalid_name;
    if (!prefix.empty()) std::memcpy(service.text_, prefix.data(), prefix.size());
    std::memcpy(service.text_ + prefix.size(), name.data(), name.size());
    return service;
  }

  const char* c_str() const { return text_; }

 private:
  char text_[bootstrap::max_name_bytes] = {};
};

inline std::error_code bootstrap_error(Return result) {
  switch (result) {
    case bootstrap::name_in_use:
    case bootstrap::service_active: return make_error_code(Errc::name_taken);
    case bootstrap::unknown_service: return make_error_code(Errc::not_found);
    case bootstrap::not_privileged: return make_error_code(Errc::permission_denied);
    default: return posix::system_error(EIO);
  }
}

/// What a client sent to a name. `failure` tells if that was no request.
template <class Traps>
struct Request {
  PeerCredentials credentials;
  std::error_code failure;
  strait::detail::HandshakeBytes body;
  OwnedSend<Traps> reply;
  AuditToken sender{};
};

/// A name that this process holds. A request is one message, so nobody is ever half through it.
template <class Traps>
class NamePort {
 public:
  /// Errors: `name_taken`, `permission_denied` when this process may not claim names (a sandbox),
  /// `EIO` for other answers of `launchd`.
  static Result<NamePort> check_in(const ServiceName& name) {
    PortName port = null_port;
    if (const Return result = Traps::check_in(name.c_str(), port); result != success) {
      return bootstrap_error(result);
    }
    NamePort claimed;
    claimed.port_ = OwnedReceive<Traps>(port);
    // As many clients as can be may knock before the next look.
    if (Traps::set_queue_limit(port, max_queue_limit) != success) return posix::system_error(EIO);
    auto events = Traps::PortEvents::watch(port);
    if (!events) return events.error();
    claimed.events_ = std::move(*events);
    return claimed;
  }

  /// Errors: `empty`, `EINVAL`.
  Result<Request<Traps>> receive() {
    for (;;) {
      const auto received = inbox_.receive(
          port_.name(), received_bytes(strait::detail::HandshakeBytes::capacity), now());
      if (!received) {
        const auto why = received.error();
        if (why == Errc::message_too_large) {
          inbox_.discard(port_.name());
          return failed(Errc::malformed);
        }
        if (why == Errc::malformed || why == std::errc::not_enough_memory) return failed(why);
        return why;
      }
      if (!inbox_.sender().is_kernel()) return understand();
      destroy<Traps>(inbox_.message());  // it has nothing to say here
    }
  }

  pollfd interest() const { return {events_.native_handle(), POLLIN, 0}; }
  strait::detail::Deadline deadline() const { return strait::detail::Deadline::never(); }

 private:
  static strait::detail::Deadline now() { return strait::detail::Deadline::now(); }

  static Request<Traps> failed(std::error_code why) { return {{}, why, {}, {}, {}}; }

  Result<Request<Traps>> understand() {
    const auto message = inbox_.message();
    Request<Traps> request;
    request.sender = inbox_.sender();
    request.credentials = credentials_of(request.sender);
    const auto parcel = parse(message);
    if (!parcel || parcel->rights != 1 ||
        parcel->header.bytes > strait::detail::HandshakeBytes::capacity) {
      destroy<Traps>(message);
      request.failure = make_error_code(Errc::malformed);
      return request;
    }
    request.reply = OwnedSend<Traps>(right_in(message, 0));
    request.body =
        strait::detail::HandshakeBytes(message.subspan(parcel->body_at, parcel->header.bytes));
    return request;
  }

  OwnedReceive<Traps> port_;
  Inbox<Traps> inbox_;
  typename Traps::PortEvents events_;
};

/// The right to send one request to whoever holds a name. Who that is, only its answer tells.
template <class Traps>
class NameRight {
 public:
  /// Errors: `not_found`, `permission_denied` when a sandbox forbids it, `EIO`.
  static Result<NameRight> look_up(const ServiceName& name) {
    PortName port = null_port;
    if (const Return result = Traps::look_up(name.c_str(), port); result != success) {
      return bootstrap_error(result);
    }
    NameRight right;
    right.right_ = OwnedSend<Traps>(port);
    return right;
  }

  /// Errors: `would_block` when too many others knock, `not_found` when the server has just gone.
  Result<void> send(std::span<const std::byte> body, const OwnedSend<Traps>& reply) {
    std::byte message[received_bytes(strait::detail::HandshakeBytes::capacity)];
    if (body.size() > strait::detail::HandshakeBytes::capacity) return posix::system_error(EINVAL);
    if (!body.empty()) {
      std::memcpy(message + body_behind<PortDescriptor>, body.data(), body.size());
    }
    for (;;) {
      const std::size_t size =
          lay_out(message, right_.name(), {static_cast<std::uint32_t>(body.size()), 0, 0, 0},
                  copy_of_right(reply.name()));
      const auto sent = send_once<Traps>({message, size});
      if (sent) return sent;
      if (sent.error() == std::errc::interrupted) continue;
      return sent.error() == Errc::peer_closed ? make_error_code(Errc::not_found) : sent.error();
    }
  }

 private:
  OwnedSend<Traps> right_;
};

}  // namespace strait::darwin_mach
