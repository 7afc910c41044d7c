#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "strait/base/hex.hpp"
#include "strait/os/random.hpp"
#include "strait/os/secret_file.hpp"
#include "strait/result.hpp"

namespace strait {

/// 256 secret bits that prove to a server that a client is the child it started.
///
/// Hand it to the child over its standard input, never on a command line or in the environment,
/// where other processes can read it.
class Token {
 public:
  static constexpr std::size_t size_bytes = 32;

  /// From the system's random source. Errors: those of `getentropy`.
  static Result<Token> generate() {
    Token token;
    if (auto filled = os::fill_random({token.bytes_.data(), size_bytes}); !filled)
      return filled.error();
    return token;
  }

  /// The token that a file holds, or a fresh one in a file made for it: for programs that are not
  /// parent and child, but belong to one user. The file is one line that this user alone may read;
  /// of several programs that come at the same moment, one makes it and all get the same token.
  ///
  /// Errors: `unsafe_token_file` if the file is another user's, others may read or write it, or it
  /// is no plain file; `garbled_token_file` if it does not hold a token: remove it to have it made
  /// anew; the system's (its directory has to be there). Blocking: for the disk.
  static Result<Token> load_or_create(const std::string& path) {
    // It may vanish between the looks, but hardly over and over.
    for (int attempts = 0; attempts != 8; ++attempts) {
      char hex[2 * size_bytes];
      const auto read = os::read_secret(path.c_str(), hex, sizeof hex);
      if (read) {
        const auto token = from_hex({static_cast<const char*>(hex), sizeof hex});
        return token ? token : Errc::garbled_token_file;
      }
      if (read.error() != std::errc::no_such_file_or_directory) return read.error();
      const auto token = generate();
      if (!token) return token;
      const auto created = os::create_secret(path, token->to_hex());
      if (created) return token;
      if (created.error() != std::errc::file_exists) return created.error();
    }
    return std::make_error_code(std::errc::resource_unavailable_try_again);
  }

  static Token from_bytes(std::span<const std::byte, size_bytes> bytes) {
    Token token;
    for (std::size_t i = 0; i != size_bytes; ++i) token.bytes_[i] = bytes[i];
    return token;
  }

  /// Errors: `std::errc::invalid_argument` unless it is just what `to_hex` gave.
  static Result<Token> from_hex(std::string_view hex) {
    if (hex.size() != 2 * size_bytes) return std::make_error_code(std::errc::invalid_argument);
    Token token;
    for (std::size_t i = 0; i != hex.size(); ++i) {
      const char c = hex[i];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return std::make_error_code(std::errc::invalid_argument);
      token.bytes_[i / 2] = token.bytes_[i / 2] << 4 | static_cast<std::byte>(digit);
    }
    return token;
  }

  /// 64 lower-case digits.
  std::string to_hex() const {
    std::string hex(2 * size_bytes, '0');
    detail::write_hex(bytes_, hex.data());
    return hex;
  }

  std::span<const std::byte, size_bytes> bytes() const { return bytes_; }

  /// In constant time: how long it takes tells nothing of where two tokens differ.
  friend bool operator==(const Token& a, const Token& b) {
    unsigned difference = 0;
    for (std::size_t i = 0; i != size_bytes; ++i) {
      difference |= std::to_integer<unsigned>(a.bytes_[i] ^ b.bytes_[i]);
      // Hides the accumulated value from the optimizer, which could leave the loop early with it.
      __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
  }

 private:
  Token() = default;

  std::array<std::byte, size_bytes> bytes_{};
};

}  // namespace strait
