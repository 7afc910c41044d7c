#pragma once

#include <cstddef>
#include <span>
#include <system_error>

#include "strait/handshake/handshake_bytes.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// What a transport's `Request` tells of a client, for one to derive from: see T2 in transport.hpp.
class RequestBase {
 public:
  PeerCredentials credentials;
  std::error_code failure;

  std::span<const std::byte> hello() const { return hello_.bytes(); }

  /// Takes in what the client has said, or why it says nothing more.
  void take_hello(const Result<HandshakeBytes>& hello) {
    failure = hello.error();
    if (hello) hello_ = *hello;
  }

 private:
  HandshakeBytes hello_;
};

}  // namespace strait::detail
