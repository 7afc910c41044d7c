#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>

namespace strait::os {

/// How many bytes have come on a TCP connection, in order and since it was made.
inline std::optional<std::uint64_t> received_bytes(int fd) {
  tcp_connection_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &size) != 0) return std::nullopt;
  return info.tcpi_rxbytes;
}

}  // namespace strait::os
