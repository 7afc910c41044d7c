#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "strait/base/hex.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A channel's name among those of the system's pipes, which are of all users, and in which case
/// does not count. A plain name has the user in it, so that other users' are other names; an
/// absolute path, which all users share, is a number made of it, because it may be too long and
/// have backslashes.
inline std::wstring object_name(std::string_view channel) {
  std::wstring name = L"strait-";
  const auto append_hex = [&](std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      const auto value = std::to_integer<unsigned>(byte);
      name += static_cast<wchar_t>(strait::detail::hex_digits[value >> 4]);
      name += static_cast<wchar_t>(strait::detail::hex_digits[value & 15]);
    }
  };
  if (channel.starts_with('/')) {
    // Two of the FNV-1a hashes: what collides is taken for taken, and no more.
    std::uint64_t hashes[2] = {0xcbf2'9ce4'8422'2325, 0x84222325'cbf29ce4};
    for (std::uint64_t& hash : hashes) {
      for (const char c : channel) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
      }
    }
    append_hex(std::as_bytes(std::span(hashes)));
    return name;
  }
  append_hex(effective_user().bytes());
  name += L'-';
  for (const char c : channel) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += L'^';  // a plain name has none
    name += static_cast<wchar_t>(upper ? c - 'A' + 'a' : c);
  }
  return name;
}

}  // namespace strait::windows
