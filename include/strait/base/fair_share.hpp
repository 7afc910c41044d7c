#pragma once

#include <cstddef>

namespace strait::detail {

// What one `receive` does at the most, so that no peer keeps this side for itself: less than a
// tenth of a millisecond's work.
inline constexpr int fair_share = 256;
inline constexpr std::size_t fair_share_bytes = std::size_t{256} << 10;
inline constexpr int fair_share_reads = 64;

}  // namespace strait::detail
