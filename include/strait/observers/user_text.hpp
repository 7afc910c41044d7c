#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/base/user_id.hpp"
#include "strait/observers/text.hpp"
#include "strait/peer.hpp"

namespace strait::detail {

#if STRAIT_HAS_WINDOWS

inline bool is_known(const UserId& user) { return static_cast<bool>(user); }

/// A user as the system writes it, such as S-1-5-18.
template <std::size_t capacity>
void put_user(BoundedText<capacity>& text, const UserId& user) {
  const std::span<const std::byte> sid = user.bytes();
  constexpr std::size_t fixed = 8;  // its revision, how many parts follow, and its authority
  if (sid.size() < fixed) {
    text << "-";
    return;
  }
  std::uint64_t authority = 0;
  for (std::size_t i = 2; i != fixed; ++i) authority = authority << 8 | std::uint64_t(sid[i]);
  text << "S-" << std::uint64_t(sid[0]) << "-" << authority;
  for (std::size_t at = fixed; at + 4 <= sid.size(); at += 4) {
    std::uint64_t part = 0;
    for (std::size_t i = 4; i != 0; --i) part = part << 8 | std::uint64_t(sid[at + i - 1]);
    text << "-" << part;
  }
}

template <std::size_t capacity>
void put_json_user(BoundedText<capacity>& text, const UserId& user) {
  text << "\"";
  put_user(text, user);
  text << "\"";
}

#else

inline bool is_known(UserId user) { return user != PeerCredentials::unknown_id; }

/// A user as the system writes it: its number.
template <std::size_t capacity>
void put_user(BoundedText<capacity>& text, UserId user) {
  text << std::uint64_t{user};
}

template <std::size_t capacity>
void put_json_user(BoundedText<capacity>& text, UserId user) {
  put_user(text, user);
}

#endif

}  // namespace strait::detail
