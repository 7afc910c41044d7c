#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/tcp_bytes.hpp"

namespace strait::os {

/// A TCP connection that another component has, a library say, which may close it at any moment.
/// Then its number may stand for something else, which nothing here touches.
class TcpConnection {
 public:
  /// Nothing unless it is one with this port at one of its ends.
  static std::optional<TcpConnection> find(int fd, std::uint16_t port) {
    const auto ends = ends_of(fd);
    if (!ends || ((*ends)[0].port != port && (*ends)[1].port != port)) return std::nullopt;
    return TcpConnection(fd, *ends);
  }

  /// How many bytes have come. Nothing if it is not there any more, or the system does not count.
  std::optional<std::uint64_t> received() const {
    return ends_of(fd_) == ends_ ? received_bytes(fd_) : std::nullopt;
  }
  /// Ends it in both directions.
  void shut() const {
    if (ends_of(fd_) != ends_) return;
    // Of a descriptor of its own it is certain what it stands for.
    const Descriptor own(::fcntl(fd_, F_DUPFD_CLOEXEC, 3));
    if (own && ends_of(own.get()) == ends_) ::shutdown(own.get(), SHUT_RDWR);
  }

 private:
  /// An address as the system shows it.
  struct End {
    std::string address;
    std::uint16_t port = 0;
    bool operator==(const End&) const = default;
  };
  using Ends = std::array<End, 2>;

  TcpConnection(int fd, const Ends& ends) : fd_(fd), ends_(ends) {}

  static std::optional<Ends> ends_of(int fd) {
    Ends ends;
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
    ends[0] = end_of(address);
    address = {};
    size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
    ends[1] = end_of(address);
    return ends;
  }
  static End end_of(const sockaddr_storage& address) {
    const auto bytes_of = [](const auto& ip) {
      return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);
    };
    if (address.ss_family == AF_INET) {
      sockaddr_in inet;
      std::memcpy(&inet, &address, sizeof inet);
      return {bytes_of(inet.sin_addr), ntohs(inet.sin_port)};
    }
    if (address.ss_family == AF_INET6) {
      sockaddr_in6 inet;
      std::memcpy(&inet, &address, sizeof inet);
      return {bytes_of(inet.sin6_addr), ntohs(inet.sin6_port)};
    }
    return {};
  }

  int fd_;
  Ends ends_;
};

}  // namespace strait::os
