#pragma once

#include <zmq.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/os/posix/error.hpp"
#include "strait/os/posix/secret_file.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"

namespace strait {

namespace detail {

/// How ZeroMQ writes the 32 bytes of a key (Z85): 40 characters and a zero.
using KeyText = std::array<char, 41>;

inline KeyText key_text(const std::byte* bytes) {
  KeyText text{};
  ::zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes),
                   PublicKey::size_bytes);
  return text;
}

}  // namespace detail

/// 40 characters, as ZeroMQ writes keys (Z85).
inline std::string to_text(const PublicKey& key) {
  return detail::key_text(key.bytes.data()).data();
}

/// Errors: `std::errc::invalid_argument` unless it is just what `to_text` gives.
inline Result<PublicKey> public_key_from_text(std::string_view text) {
  const std::string whole(text);
  PublicKey key;
  if (whole.size() != 40 || ::zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key.bytes.data()),
                                             whole.c_str()) == nullptr) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  return key;
}

/// What one side of an encrypted connection is known by: the secret half stays with it, the public
/// half is what others are told.
class KeyPair {
 public:
  /// From the system's random source. Errors: the system's.
  static Result<KeyPair> generate() {
    auto token = Token::generate();
    if (!token) return token.error();
    return from_token(*token);
  }

  /// The pair that a file holds, or a fresh one in a file made for it, under the same rules as
  /// `Token::load_or_create`: one line that this user alone may read.
  ///
  /// Errors: as there. Blocking: for the disk.
  static Result<KeyPair> load_or_create(const std::string& path) {
    auto secret = Token::load_or_create(path);
    if (!secret) return secret.error();
    return from_token(*secret);
  }

  /// The pair of which a token is the secret half: whoever has the token has this pair.
  ///
  /// Errors: `unsupported` where libzmq was built without CURVE.
  static Result<KeyPair> from_token(const Token& secret) {
    KeyPair pair(secret);
    const auto text = pair.secret_text();
    detail::KeyText text_of_public{};
    if (::zmq_curve_public(text_of_public.data(), text.data()) != 0) return Errc::unsupported;
    auto key = public_key_from_text(text_of_public.data());
    if (!key) return key.error();
    pair.public_key_ = *key;
    return pair;
  }

  const PublicKey& public_key() const { return public_key_; }
  detail::KeyText secret_text() const { return detail::key_text(secret_.bytes().data()); }

 private:
  explicit KeyPair(const Token& secret) : secret_(secret) {}

  Token secret_;
  PublicKey public_key_;
};

/// The keys of one end. What is left out comes from the channel's token, of which then also is the
/// secret half: whoever has the token is let in, and may pose as the server.
struct CurveKeys {
  /// This end's own.
  std::optional<KeyPair> own = {};
  /// To connect: the server's public half. A server with another one is not talked to.
  std::optional<PublicKey> server = {};
  /// To listen: the clients that are let in, by their public halves, and no other.
  std::vector<PublicKey> clients = {};
};

/// Where a ZeroMQ server is, and with which keys.
struct ZmqName {
  /// `tcp://HOST:PORT` (to listen, an address or an interface of this machine, or `*` for all),
  /// `ipc://PATH`, or for tests within a process `inproc://WORD`, which is never encrypted.
  std::string endpoint;
  CurveKeys keys;
  /// A peer of which nothing was heard for so long, not even a heartbeat, is gone. There always is
  /// such a time: what is less or more than these counts as they do.
  std::chrono::milliseconds silence{10'000};
  static constexpr std::chrono::milliseconds min_silence{300};
  static constexpr std::chrono::milliseconds max_silence{86'400'000};

  /// For observers.
  operator std::string_view() const { return endpoint; }

  ZmqName(std::string_view where) : endpoint(where) {}
  ZmqName(const std::string& where) : endpoint(where) {}
  ZmqName(const char* where) : endpoint(where) {}
  ZmqName(std::string_view where, CurveKeys with) : endpoint(where), keys(std::move(with)) {}
  ZmqName(std::string_view where, CurveKeys with, std::chrono::milliseconds longest_silence)
      : endpoint(where), keys(std::move(with)), silence(longest_silence) {}
};

}  // namespace strait
