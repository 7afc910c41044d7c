#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/fwd.hpp"

namespace strait {

/// Never out of line: large messages travel in fragments.
///
/// Cost: two copies of every byte, which overlap. The default, and the cheapest way for whatever is
/// sent once, at every size (bench/README.md).
struct InlineOnly {
  static constexpr std::size_t threshold_bytes = SIZE_MAX;
  using method = void;
};

/// How a message travels out of line: see `OolThreshold`.
///
/// The payload becomes a region that the kernel keeps from changing; the receiver maps it
/// privately. Safe against a hostile sender.
struct CopyOnWrite {};

/// How a message travels out of line: see `OolThreshold`.
///
/// The payload lies in a segment of shared memory, out of a pool that both sides have mapped, and
/// the receiver gives it back when it has read it: no system call, no page fault, no copy, whatever
/// the size. For peers that cooperate: the sender can change what the receiver reads. The pool of a
/// direction grows on demand up to `MaxBytes` and never shrinks; what it has no room for travels
/// inline.
template <std::size_t MaxBytes>
struct LoanUpTo {
  static constexpr std::size_t max_bytes = MaxBytes;
};

/// Out of line from `Bytes` up, inline below.
///
/// Cost out of line by copy-on-write: one region of memory made, filled and mapped; the receiver
/// copies nothing. For a message type of fixed size the choice is made when the program is
/// compiled; the way not taken is not part of it.
template <std::size_t Bytes, class Method>
struct OolThreshold {
  static constexpr std::size_t threshold_bytes = Bytes;
  using method = Method;
};

}  // namespace strait
