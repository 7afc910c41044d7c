#pragma once

#include <cstdint>

namespace strait_test {

/// The kinds of message between ports, as they are on the wire: not the library's own names for
/// them, so that a change of their values fails tests.
enum WireKind : std::uint8_t {
  whole = 1,
  fragment,
  last_fragment,
  region,
  welcome,
  refusal,
  loan,
  forget,
  patch
};

}  // namespace strait_test
