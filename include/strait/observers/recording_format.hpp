#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/base/type_name.hpp"

namespace strait::detail {

// A recording is a header and records, each a header and the bytes of a message; the last record
// says that it is the last. All numbers are of the machine's own form. Each check is over all that
// stands before it, too, so that nothing can be changed, left out or exchanged without notice. It
// is against accidents: it keeps out no enemy that can write to the file.

struct RecordingHeader {
  /// What damages text, such as a change of line ends, damages this.
  static constexpr std::array<char, 8> right_magic{'\x89', 's', 't', 'r', '\r', '\n', '\x1a', '\n'};
  static constexpr std::uint32_t current_version = 1;
  /// The order of bytes, and how many a word has.
  static constexpr std::uint32_t this_machine = 0x0102'0300 + sizeof(std::size_t);

  std::array<char, 8> magic = right_magic;
  std::uint32_t version = current_version;
  std::uint32_t machine = this_machine;
  std::uint64_t schema_hash = 0;
  std::uint64_t check = 0;
};
static_assert(sizeof(RecordingHeader) == 32);

struct RecordHeader {
  std::uint64_t check = 0;
  std::uint64_t nanoseconds = 0;
  std::uint32_t bytes = 0;
  std::uint32_t channel = 0;
  std::uint16_t tag = 0;
  std::uint16_t kind = 0;
  std::uint32_t unused = 0;
};
static_assert(sizeof(RecordHeader) == 32);

inline constexpr std::uint16_t last_record = 3;

/// FNV-1a. Any change of one byte changes the result.
inline std::uint64_t check_of(std::uint64_t check, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    check = (check ^ std::to_integer<std::uint64_t>(byte)) * 0x100'0000'01b3;
  }
  return check;
}

inline std::uint64_t check_of(const RecordingHeader& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return check_of(fnv_basis, bytes.first(offsetof(RecordingHeader, check)));
}

/// Of a record behind one that had the check `before`.
inline std::uint64_t check_of(std::uint64_t before, const RecordHeader& header,
                              std::span<const std::byte> message) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return check_of(check_of(before, bytes.subspan(sizeof header.check)), message);
}

}  // namespace strait::detail
