#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace bench {

// What reserves its largest message for each one that it can hold would scatter small ones over
// megabytes. So each class of sizes has a queue of its own, of a depth of its own. That keeps no
// order between classes, but both sides know each message's size, so a reader knows which queue has
// the next.
inline constexpr std::array<std::size_t, 5> class_bytes = {64, 1024, 64 * 1024, 1024 * 1024,
                                                           7 * 1024 * 1024};

/// Deep enough for a writer to run ahead, no larger than what the caches keep.
constexpr std::size_t depth_for(std::size_t bytes, std::size_t max_depth) {
  return std::clamp<std::size_t>(1024 * 1024 / bytes, 2, max_depth);
}

inline std::size_t class_of(std::size_t bytes) {
  return static_cast<std::size_t>(std::lower_bound(class_bytes.begin(), class_bytes.end(), bytes) -
                                  class_bytes.begin());
}

}  // namespace bench
