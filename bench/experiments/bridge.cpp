#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/csv.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 5> bridge_cases = {"mach", "mach-block", "mach-bridged",
                                                          "pipe", "pipe-bridged"};

struct BridgeComparison {
  std::string_view bridged;
  std::string_view direct;
};
// A bridge sleeps at once, so beside `mach-block` it shows what the bridge alone costs.
constexpr std::array<BridgeComparison, 3> bridge_comparisons = {
    BridgeComparison{"mach-bridged", "mach"}, BridgeComparison{"mach-bridged", "mach-block"},
    BridgeComparison{"pipe-bridged", "pipe"}};

Batch bridge_batch(std::size_t bytes, bool quick) {
  if (quick) return {5, 20};
  return bytes >= 256 * 1024 ? Batch{5, 100} : Batch{100, 400};
}

void print_bridge_ratios(const LatencyGrid& grid) {
  fmt::print("\nHow many times as long bridged as direct: median over the rounds, p50 and p98\n\n");
  fmt::print("{:>11}", "bytes");
  for (const BridgeComparison& one : bridge_comparisons) {
    fmt::print("{:>28}", fmt::format("{} / {}", one.bridged, one.direct));
  }
  fmt::print("\n");
  for (const std::size_t bytes : grid.sizes()) {
    fmt::print("{:>11}", bytes);
    for (const BridgeComparison& one : bridge_comparisons) {
      const auto ratio = [&](double Latency::*figure) {
        return cell_text(grid.ratio(bytes, one.bridged, one.direct, figure));
      };
      fmt::print("{:>20}{:>8}", ratio(&Latency::p50_us), ratio(&Latency::p98_us));
    }
    fmt::print("\n");
  }
}

}  // namespace

int run_bridge(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {64, 1024, 16 * 1024, 64 * 1024, 1024 * 1024};
  const std::size_t rounds = options.rounds_or(5, 2);
  const std::vector<const Case*> cases = chosen_cases(options, bridge_cases);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid grid(sizes, cases,
                   [&](std::size_t bytes) { return bridge_batch(bytes, options.quick); });
  grid.measure(session, rounds);
  session.finish();
  grid.write(csv, "bridge");
  csv.finish();

  print_heading("strait_bench bridge", options);
  print_case_table(grid, "One way, us, median", &Latency::p50_us);
  print_case_table(grid, "One way, us, 98th percentile", &Latency::p98_us);
  print_bridge_ratios(grid);
  return 0;
}

}  // namespace bench
