#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "strait/base/min_max.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A Hello or a Welcome as it comes, with the number of its sender's inbox for handles behind it.
struct NotedHandshake {
  HandshakeBytes body;
  os::HandleNumber inbox = 0;

  /// Errors: `malformed`.
  static Result<NotedHandshake> parse(std::span<const std::byte> bytes) {
    NotedHandshake parsed;
    if (bytes.size() < sizeof parsed.inbox) return Errc::malformed;
    parsed.body = HandshakeBytes(bytes.first(bytes.size() - sizeof parsed.inbox));
    std::memcpy(&parsed.inbox, bytes.last(sizeof parsed.inbox).data(), sizeof parsed.inbox);
    return parsed;
  }
};

/// What `parse` takes apart.
inline HandshakeBytes with_note(std::span<const std::byte> body, os::HandleNumber inbox = 0) {
  constexpr std::size_t room = HandshakeBytes::capacity - sizeof inbox;
  HandshakeBytes noted(body.first((min)(body.size(), room)));
  const std::size_t size = noted.bytes().size();
  std::memcpy(noted.room().data() + size, &inbox, sizeof inbox);
  noted.resize(size + sizeof inbox);
  return noted;
}

}  // namespace strait::detail
