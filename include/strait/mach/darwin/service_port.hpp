#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/hex.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/mach/darwin/receive_right.hpp"
#include "strait/mach/darwin/send_right.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/random.hpp"
#include "strait/os/posix/socket.hpp"
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

/// A name for two processes that have a socket between them: a socket can't carry a right, but what
/// to look up. It can't be guessed, it is gone once they have met, and a process that finds it
/// among `launchd`'s is told from the right process by the kernel.
class PrivateName {
 public:
  /// Errors: those of the system's random source.
  static Result<PrivateName> generate() {
    std::array<std::byte, size / 2> random;
    if (auto filled = os::fill_random(random); !filled) return filled.error();
    PrivateName name;
    strait::detail::write_hex(random, name.text_.data());
    return name;
  }

  /// Errors: `peer_closed`; those of `sendmsg`.
  Result<void> tell(int socket) const {
    return os::send_packet(socket, std::as_bytes(std::span(text_)));
  }

  /// Errors: `would_block` when it was not told whole; `peer_closed`; `malformed` if that is no
  /// name.
  static Result<PrivateName> told(int socket) {
    PrivateName name;
    const ssize_t got =
        os::retry([&] { return ::recv(socket, name.text_.data(), size, MSG_PEEK | MSG_DONTWAIT); });
    if (got < 0) return errno == EAGAIN ? make_error_code(Errc::would_block) : os::last_error();
    if (got == 0) return Errc::peer_closed;
    if (static_cast<std::size_t>(got) != size) return Errc::would_block;
    if (name.text().find_first_not_of(strait::detail::hex_digits) != std::string_view::npos)
      return Errc::malformed;
    return name;
  }

  Result<ServiceName> service(std::string_view prefix) const {
    return ServiceName::of(prefix, text());
  }

 private:
  static constexpr std::size_t size = 32;

  std::string_view text() const { return {text_.data(), size}; }

  std::array<char, size> text_{};
};

inline std::error_code bootstrap_error(Return result) {
  switch (result) {
    case bootstrap::name_in_use:
    case bootstrap::service_active: return make_error_code(Errc::name_taken);
    case bootstrap::unknown_service: return make_error_code(Errc::not_found);
    case bootstrap::not_privileged: return make_error_code(Errc::permission_denied);
    default: return os::system_error(EIO);
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

/// A name that this process holds. A request is one message, so no client is ever half through it.
template <class Traps>
class ServicePort {
 public:
  /// Errors: `name_taken`, `permission_denied` when this process may not claim names (a sandbox),
  /// `EIO` for other answers of `launchd`.
  static Result<ServicePort> check_in(const ServiceName& name) {
    PortName port = null_port;
    if (const Return result = Traps::check_in(name.c_str(), port); result != success) {
      // `launchd` says this of a name that another process holds, too.
      if (result == bootstrap::not_privileged && is_held(name)) return Errc::name_taken;
      return bootstrap_error(result);
    }
    ServicePort claimed;
    claimed.port_ = OwnedReceive<Traps>(port);
    // As many clients as can be may connect before the next look.
    if (Traps::set_queue_limit(port, max_queue_limit) != success) return os::system_error(EIO);
    auto events = Traps::PortEvents::watch(port);
    if (!events) return events.error();
    claimed.events_ = std::move(*events);
    return claimed;
  }

  /// The same for one client alone: the process at the other end of a socket, which learns the
  /// name there.
  ///
  /// Errors: also `peer_closed`.
  static Result<ServicePort> check_in(const PrivateName& name, std::string_view prefix,
                                      os::Descriptor client, const PeerCredentials& credentials) {
    const auto service = name.service(prefix);
    if (!service) return service.error();
    auto port = check_in(*service);
    if (!port) return port;
    if (auto watched = port->events_.watch_too(client.get()); !watched) return watched.error();
    if (auto told = name.tell(client.get()); !told) return told.error();
    port->client_ = std::move(client);
    port->process_ = credentials.pid;
    return port;
  }

  /// Errors: `empty`, `EINVAL`; `peer_closed` when there was but one client and it is through.
  Result<Request<Traps>> receive() {
    // It says nothing over the socket, and closes it after it has sent its request.
    const bool through = client_ && os::is_ready(Interest::to_read(client_.get()));
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
        events_.clear();
        return why == Errc::empty && through ? make_error_code(Errc::peer_closed) : why;
      }
      if (!inbox_.sender().is_kernel()) return understand();
      destroy<Traps>(inbox_.message());  // it has nothing to say here
    }
  }

  Interest interest() const { return Interest::to_read(events_.native_handle()); }
  strait::detail::Deadline deadline() const { return strait::detail::Deadline::never(); }

 private:
  static strait::detail::Deadline now() { return strait::detail::Deadline::now(); }

  static bool is_held(const ServiceName& name) {
    PortName port = null_port;
    if (Traps::look_up(name.c_str(), port) != success) return false;
    const OwnedSend<Traps> dropped(port);
    return true;
  }

  static Request<Traps> failed(std::error_code why) { return {{}, why, {}, {}, {}}; }

  Result<Request<Traps>> understand() {
    const auto message = inbox_.message();
    Request<Traps> request;
    request.sender = inbox_.sender();
    request.credentials = credentials_of(request.sender);
    const auto parsed_message = parse(message);
    if (client_ && request.credentials.pid != process_) {
      destroy<Traps>(message);
      request.failure = make_error_code(Errc::permission_denied);
      return request;
    }
    if (!parsed_message || parsed_message->rights != 1 ||
        parsed_message->header.bytes > strait::detail::HandshakeBytes::capacity) {
      destroy<Traps>(message);
      request.failure = make_error_code(Errc::malformed);
      return request;
    }
    request.reply = OwnedSend<Traps>(right_in(message, 0));
    request.body = strait::detail::HandshakeBytes(
        message.subspan(parsed_message->body_at, parsed_message->header.bytes));
    return request;
  }

  OwnedReceive<Traps> port_;
  ReceiveBuffer<Traps> inbox_;
  typename Traps::PortEvents events_;
  /// Where there is but one client.
  os::Descriptor client_;
  std::int32_t process_ = 0;
};

/// The right to send one request to the holder of a name. Which process that is, only its answer
/// tells.
template <class Traps>
class ServiceRight {
 public:
  /// Errors: `not_found`, `permission_denied` when a sandbox forbids it, `EIO`.
  static Result<ServiceRight> look_up(const ServiceName& name) {
    PortName port = null_port;
    if (const Return result = Traps::look_up(name.c_str(), port); result != success) {
      return bootstrap_error(result);
    }
    ServiceRight right;
    right.right_ = OwnedSend<Traps>(port);
    return right;
  }

  /// The right to the name that `PrivateName::tell` told at the other end of a socket.
  ///
  /// Errors: also `would_block` before it did, `malformed`, `peer_closed`: the socket is then still
  /// the caller's.
  static Result<ServiceRight> look_up(std::string_view prefix, os::Descriptor&& server) {
    const auto name = PrivateName::told(server.get());
    if (!name) return name.error();
    const auto service = name->service(prefix);
    if (!service) return service.error();
    auto right = look_up(*service);
    // Kept until the request has been sent: its end tells the other side that there is no other.
    if (right) right->socket_ = std::move(server);
    return right;
  }

  /// Errors: `would_block` when too many others connect, `not_found` when the server has just gone.
  Result<void> send(std::span<const std::byte> body, const OwnedSend<Traps>& reply) {
    std::byte message[received_bytes(strait::detail::HandshakeBytes::capacity)];
    if (body.size() > strait::detail::HandshakeBytes::capacity) return os::system_error(EINVAL);
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
  os::Descriptor socket_;
};

}  // namespace strait::darwin_mach
