#pragma once

// What a client of this protocol's version says, byte for byte, as a build of it said it: see
// unit/wire_test.cpp. A server of today has to understand it, over each transport, and to answer as
// it did.

#include <strait/handshake/hello.hpp>
#include <strait/token.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strait_test::wire {

static_assert(strait::detail::protocol_version == 6,
              "these are the bytes of another version of the protocol: see unit/wire_test.cpp");

/// The words of all that is here are in this order.
inline constexpr bool is_little = std::endian::native == std::endian::little;

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned>(byte) & 15];
  }
  return text;
}
inline std::vector<std::byte> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return bytes;
}

/// 00, 01, ... 1f.
inline strait::Token token() {
  std::array<std::byte, strait::Token::size_bytes> bytes;
  for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return strait::Token::from_bytes(bytes);
}

/// The Hello of a channel of bytes with this token. `queue_bytes`: eight bytes of a Mach port's.
inline std::string raw_hello(std::string_view queue_bytes = "0000000000000000") {
  return "1a0a7374726169740600000000000000657479625f776172"
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
         "0000000000000000" +
         std::string(queue_bytes) + std::string(96, '0');
}
inline constexpr std::string_view good_welcome = "1a0a7374726169740600000000000000";

/// "hello" and "strait", in frames.
inline constexpr std::string_view framed_hello = "050000000000000068656c6c6f";
inline constexpr std::string_view framed_strait = "0600000000000000737472616974";

}  // namespace strait_test::wire
