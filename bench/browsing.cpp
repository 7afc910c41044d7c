#include "browsing.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "reference.hpp"

namespace bench {

namespace {

// The figure gives buckets, mean and deviation, but no sizes. Spread evenly over each bucket's
// upper part, the messages have the published mean (86.4) and deviation (329.5). How much of a
// bucket stays free below, in per mille: the top one, with its 15 messages, decides the deviation,
// the rest the mean.
constexpr std::uint64_t free_below = 279;
constexpr std::uint64_t free_below_top = 398;

std::vector<std::uint32_t> make_hour() {
  std::vector<std::uint32_t> sizes;
  for (const PublishedBucket& bucket : published_buckets) {
    const bool top = &bucket == &published_buckets.back();
    const std::uint64_t free = top ? free_below_top : free_below;
    const std::uint64_t width = bucket.next_low_bytes - bucket.low_bytes;
    const std::uint64_t count = bucket.count;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t offset =
          width * (free * 2 * count + (1000 - free) * (2 * i + 1)) / (2000 * count);
      sizes.push_back(bucket.low_bytes + static_cast<std::uint32_t>(offset));
    }
  }
  // Spelled out because the standard leaves std::shuffle's order to the library.
  std::mt19937_64 random(37'573);
  for (std::size_t i = sizes.size() - 1; i > 0; --i) std::swap(sizes[i], sizes[random() % (i + 1)]);
  return sizes;
}

}  // namespace

Sizes browsing_hour(std::size_t count) {
  static const std::vector<std::uint32_t> hour = make_hour();
  Sizes sizes;
  sizes.count = std::min(count, hour.size());
  sizes.list = hour;
  sizes.largest_bytes = *std::max_element(hour.begin(), hour.end());
  return sizes;
}

}  // namespace bench
