#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bench {

/// One-way latency of one batch, or the medians over batches, in microseconds.
struct Latency {
  double p50_us = 0;
  double p98_us = 0;
  double p99_us = 0;
};

/// What only the samples of all rounds together can tell; none where fewer than two lie above.
struct Tail {
  std::optional<double> p999_us = {};
  std::optional<double> p9999_us = {};
};

/// The middle value, the mean of the two middle ones when there is none. Reorders `values`.
double median(std::vector<double> values);

/// One way is half of a round trip. Reorders the samples.
Latency latency_of(std::span<std::uint64_t> round_trip_ns);

/// Of times that are one way already. Reorders them.
Latency latency_of(std::span<double> one_way_us);

/// Of all rounds together; as `latency_of`.
Tail tail_of(std::span<std::uint64_t> round_trip_ns);

/// The median over rounds of each figure.
Latency median_of(const std::vector<Latency>& rounds);

/// Three digits that matter: 0.123, 1.23, 12.3, 123.
std::string short_number(double value);

}  // namespace bench
