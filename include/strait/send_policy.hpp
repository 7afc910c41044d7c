#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/fwd.hpp"

namespace strait {

/// Never out of line: large messages travel in fragments.
///
/// Cost: two copies of every byte, which overlap. Choose it where descriptors are scarce.
struct InlineOnly {
  static constexpr std::size_t threshold_bytes = SIZE_MAX;
};

/// How a message travels out of line: see `OolThreshold`.
///
/// The payload becomes a region that the kernel keeps from changing; the receiver maps it
/// privately. Safe against a hostile sender.
struct CopyOnWrite {};

/// Out of line from `Bytes` up, inline below.
///
/// Cost out of line: one region of memory made, filled and mapped; the receiver copies nothing. For
/// a message type of fixed size the choice is made when the program is compiled; the way not taken
/// is not part of it.
template <std::size_t Bytes, class How>
struct OolThreshold {
  static constexpr std::size_t threshold_bytes = Bytes;
};

}  // namespace strait
