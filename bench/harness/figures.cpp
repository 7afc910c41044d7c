#include "harness/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bench {

double median(std::vector<double> values) {
  if (values.empty()) throw std::logic_error("median of nothing");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

namespace {

constexpr double round_trip_ns_in_us = 1.0 / 2 / 1000;

/// The smallest of sorted samples that at least this part of all samples does not exceed.
template <class T>
double percentile(std::span<const T> sorted, double part) {
  const double rank = std::ceil(part * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return static_cast<double>(sorted[index]);
}

template <class T>
Latency percentiles_us(std::span<T> samples, double us_each) {
  if (samples.empty()) throw std::logic_error("latency of nothing");
  std::sort(samples.begin(), samples.end());
  const std::span<const T> sorted = samples;
  return {percentile(sorted, 0.50) * us_each, percentile(sorted, 0.98) * us_each,
          percentile(sorted, 0.99) * us_each};
}

}  // namespace

Latency latency_of(std::span<std::uint64_t> round_trip_ns) {
  return percentiles_us(round_trip_ns, round_trip_ns_in_us);
}

Tail tail_of(std::span<std::uint64_t> round_trip_ns) {
  std::sort(round_trip_ns.begin(), round_trip_ns.end());
  const auto percentile_us = [&](double part, std::size_t one_in) -> std::optional<double> {
    if (round_trip_ns.size() < 2 * one_in) return {};
    return percentile(std::span<const std::uint64_t>(round_trip_ns), part) * round_trip_ns_in_us;
  };
  return {percentile_us(0.999, 1'000), percentile_us(0.9999, 10'000)};
}

Latency latency_of(std::span<double> one_way_us) { return percentiles_us(one_way_us, 1); }

Latency median_of(const std::vector<Latency>& rounds) {
  const auto middle = [&](double Latency::*figure) {
    std::vector<double> values;
    for (const Latency& round : rounds) values.push_back(round.*figure);
    return median(std::move(values));
  };
  return {middle(&Latency::p50_us), middle(&Latency::p98_us), middle(&Latency::p99_us)};
}

std::string short_number(double value) {
  if (value < 0.9995) return fmt::format("{:.3f}", value);
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

}  // namespace bench
