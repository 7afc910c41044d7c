#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace strait::os {

/// How many bytes have come on a TCP connection, in order and since it was made. Nothing before
/// Linux 4.1.
inline std::optional<std::uint64_t> received_bytes(int fd) {
  // `tcpi_bytes_received` in the kernel's `struct tcp_info`, of which the C library has the
  // beginning only.
  constexpr std::size_t offset = 128;
  std::array<std::byte, offset + sizeof(std::uint64_t)> info{};
  auto size = static_cast<socklen_t>(info.size());
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, info.data(), &size) != 0) return std::nullopt;
  if (size != info.size()) return std::nullopt;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, info.data() + offset, sizeof bytes);
  return bytes;
}

}  // namespace strait::os
