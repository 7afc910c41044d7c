#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>

#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/schema.hpp"
#include "strait/os/user.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"

namespace strait::detail {

inline constexpr std::uint64_t protocol_magic = 0x7469'6172'7473'0a1a;
inline constexpr std::uint32_t protocol_version = 6;

/// The options of a transport that both sides must have alike.
struct WireOptions {
  /// How many bytes may be lent; 0 when large messages are not lent.
  std::uint64_t loan_bytes = 0;
  /// The size of a port's queue; 0 where there is none.
  std::uint64_t queue_bytes = 0;

  friend bool operator==(const WireOptions&, const WireOptions&) = default;
};

/// Those of a transport that has some: `T::wire_options`.
template <class T>
constexpr WireOptions wire_options_of() {
  if constexpr (requires { T::wire_options; }) {
    return T::wire_options;
  } else {
    return {};
  }
}

/// What a client has to show to be let in, and which peers both sides allow.
struct HandshakeTerms {
  Token token;
  Schema schema;
  WireOptions options;
  PeerPolicy peers;
};

/// What a client says first. Magic and version come first in every version of the protocol.
struct Hello {
  std::uint64_t magic = protocol_magic;
  std::uint32_t version = protocol_version;
  std::uint32_t reserved = 0;
  std::uint64_t schema_hash = 0;
  std::byte token[Token::size_bytes] = {};
  WireOptions options;
  TypeDigests digests;
};
static_assert(sizeof(Hello) == 120 && sizeof(Hello) <= HandshakeBytes::capacity);

/// What the server answers: `status` is 0 or the `Errc` for which the client is refused. If that is
/// `schema_mismatch`, its own `TypeDigests` follow.
struct Welcome {
  std::uint64_t magic = protocol_magic;
  std::uint32_t version = protocol_version;
  std::uint32_t status = 0;
};
static_assert(sizeof(Welcome) == 16);

inline HandshakeBytes encode_hello(std::uint64_t schema_hash, const Token& token,
                                   const WireOptions& options = {},
                                   const TypeDigests& digests = {}) {
  Hello hello;
  hello.schema_hash = schema_hash;
  hello.digests = digests;
  hello.options = options;
  std::memcpy(hello.token, token.bytes().data(), Token::size_bytes);
  return HandshakeBytes({reinterpret_cast<const std::byte*>(&hello), sizeof hello});
}

inline HandshakeBytes encode_welcome(std::error_code status, const TypeDigests& digests = {}) {
  struct {
    Welcome welcome;
    TypeDigests digests;
  } answer;
  answer.welcome.status = static_cast<std::uint32_t>(status.value());
  answer.digests = digests;
  const bool tells_types = status == Errc::schema_mismatch;
  return HandshakeBytes({reinterpret_cast<const std::byte*>(&answer),
                         tells_types ? sizeof answer : sizeof answer.welcome});
}

/// Those of a Hello or Welcome that was found to be of another schema.
template <class Message>
TypeDigests digests_behind(std::size_t offset, const Message& bytes) {
  TypeDigests digests;
  if (bytes.size() == offset + sizeof digests) {
    std::memcpy(&digests, bytes.data() + offset, sizeof digests);
  }
  return digests;
}
inline TypeDigests digests_of_hello(std::span<const std::byte> bytes) {
  return digests_behind(offsetof(Hello, digests), bytes);
}
inline TypeDigests digests_of_welcome(std::span<const std::byte> bytes) {
  return digests_behind(sizeof(Welcome), bytes);
}

/// Errors: `malformed`, `version_mismatch`, `bad_token`, `schema_mismatch`, `send_policy_mismatch`,
/// `queue_size_mismatch`, in this order: without the token a client learns nothing about the rest.
inline Result<void> check_hello(std::span<const std::byte> bytes, std::uint64_t schema_hash,
                                const Token& token, const WireOptions& options = {}) {
  Hello hello;
  constexpr std::size_t stable = offsetof(Hello, reserved);
  if (bytes.size() < stable) return Errc::malformed;
  std::memcpy(static_cast<void*>(&hello), bytes.data(), stable);
  if (hello.magic != protocol_magic) return Errc::malformed;
  if (hello.version != protocol_version) return Errc::version_mismatch;
  if (bytes.size() != sizeof hello) return Errc::malformed;
  std::memcpy(static_cast<void*>(&hello), bytes.data(), sizeof hello);
  if (Token::from_bytes(hello.token) != token) return Errc::bad_token;
  if (hello.reserved != 0) return Errc::malformed;
  if (hello.schema_hash != schema_hash) return Errc::schema_mismatch;
  if (hello.options.loan_bytes != options.loan_bytes) return Errc::send_policy_mismatch;
  if (hello.options.queue_bytes != options.queue_bytes) return Errc::queue_size_mismatch;
  return {};
}

/// Errors: `malformed`, `version_mismatch`, and why the server refused.
inline Result<void> check_welcome(std::span<const std::byte> bytes) {
  Welcome welcome;
  if (bytes.size() < sizeof welcome) return Errc::malformed;
  std::memcpy(&welcome, bytes.data(), sizeof welcome);
  const bool tells_types = welcome.status == static_cast<std::uint32_t>(Errc::schema_mismatch);
  if (bytes.size() != sizeof welcome + (tells_types ? sizeof(TypeDigests) : 0)) {
    return Errc::malformed;
  }
  if (welcome.magic != protocol_magic) return Errc::malformed;
  if (welcome.status == 0) {
    return welcome.version == protocol_version ? Result<void>() : Errc::version_mismatch;
  }
  const auto status = static_cast<Errc>(welcome.status);
  const bool is_reason = status == Errc::bad_token || status == Errc::version_mismatch ||
                         status == Errc::schema_mismatch || status == Errc::malformed ||
                         status == Errc::send_policy_mismatch ||
                         status == Errc::queue_size_mismatch;
  return is_reason ? status : Errc::refused;
}

/// Errors: `permission_denied`.
inline Result<void> check_peer(const PeerCredentials& credentials, PeerPolicy policy) {
  if (policy == PeerPolicy::same_user && !os::is_effective_user(credentials.uid)) {
    return Errc::permission_denied;
  }
  return {};
}

}  // namespace strait::detail
