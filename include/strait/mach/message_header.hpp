#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/base/min_max.hpp"

namespace strait {

/// What stands before a message between ports: Mach's `msgh_id` and size, opaque to the kernel but
/// for the sizes.
struct MessageHeader {
  std::uint32_t bytes = 0;
  std::uint16_t tag = 0;
  std::uint8_t kind = 0;
  /// How many rights and regions come with the message; set by the kernel, not by the sender.
  std::uint8_t descriptors = 0;
};

namespace detail {

/// A message larger than this travels in fragments, so that the receiver copies out while the
/// sender copies in.
constexpr std::size_t fragment_bytes_of(std::size_t queue_bytes) {
  return (min)(queue_bytes / 8, std::size_t{32} << 10);
}

/// The kinds of message between ports.
enum class MessageKind : std::uint8_t {
  whole = 1,
  fragment,
  last_fragment,
  region,
  welcome,
  refusal,
  loan,
  forget,
  patch,
};

}  // namespace detail
}  // namespace strait
