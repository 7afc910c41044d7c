#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/csv.hpp"
#include "harness/gnuplot.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 11> ool_cases = {
    "fifo",           "mach-inline",    "mach-cow-fresh",  "mach-cow-again",
    "mach-ool",       "mach-ool-pages", "mach-ool-kernel", "mach-loan",
    "mach-loan-spin", "ring",           "shared-buffer"};

constexpr std::size_t small_bytes = 100;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t reference_bytes = 7 * 1024 * 1024;

struct Comparison {
  std::string_view upper;
  std::string_view lower;
};
constexpr std::array<Comparison, 7> handed_over = {Comparison{"fifo", "mach-cow-fresh"},
                                                   Comparison{"fifo", "mach-cow-again"},
                                                   Comparison{"mach-cow-fresh", "mach-ool"},
                                                   Comparison{"mach-cow-fresh", "mach-ool-pages"},
                                                   Comparison{"mach-cow-fresh", "mach-ool-kernel"},
                                                   Comparison{"fifo", "mach-loan"},
                                                   Comparison{"mach-inline", "ring"}};
constexpr std::array<Comparison, 5> worked_on = {
    Comparison{"mach-loan", "shared-buffer"}, Comparison{"mach-loan-spin", "shared-buffer"},
    Comparison{"mach-cow-fresh", "shared-buffer"}, Comparison{"mach-inline", "shared-buffer"},
    Comparison{"mach-inline", "ring"}};

Batch ool_batch(std::size_t bytes, bool quick) {
  if (quick) return {1, 2};
  if (bytes <= 64 * 1024) return {50, 400};
  if (bytes <= 1024 * 1024) return {5, 100};
  return bytes <= reference_bytes ? Batch{5, 200} : Batch{1, 20};
}

bool has(const LatencyGrid& grid, std::string_view name) {
  for (const Case* one : grid.cases()) {
    if (one->name == name) return true;
  }
  return false;
}

void print_ratios(const LatencyGrid& grid, std::span<const Comparison> comparisons) {
  std::vector<Comparison> shown;
  for (const Comparison& one : comparisons) {
    if (has(grid, one.upper) && has(grid, one.lower)) shown.push_back(one);
  }
  if (shown.empty()) return;
  fmt::print("\nRatios: median over the rounds, 98th percentile\n\n{:>11}", "Packet size");
  for (const Comparison& one : shown) {
    fmt::print("{:>38}", fmt::format("{} / {}", one.upper, one.lower));
  }
  fmt::print("\n");
  for (const std::size_t bytes : grid.sizes()) {
    fmt::print("{:>11}", bytes);
    for (const Comparison& one : shown) {
      fmt::print("{:>38}", cell_text(grid.ratio(bytes, one.upper, one.lower, &Latency::p98_us)));
    }
    fmt::print("\n");
  }
}

/// How much of its price is the size's.
void print_growth(const LatencyGrid& grid) {
  fmt::print("\nHow many times as long {} B take, 98th percentile\n\n", reference_bytes);
  for (const Case* one : grid.cases()) {
    const auto times = [&](std::size_t bytes) -> std::optional<double> {
      const auto small = grid.at(bytes, one->name);
      const auto large = grid.at(reference_bytes, one->name);
      if (!small || !large) return {};
      return large->p98_us / small->p98_us;
    };
    fmt::print("{:>16}{:>10} as {} B{:>10} as {} B\n", one->name, cell_text(times(small_bytes)),
               small_bytes, cell_text(times(page_bytes)), page_bytes);
  }
}

void draw(Gnuplot& out, const LatencyGrid& grid, std::string_view title) {
  out.begin_graph(title);
  for (std::size_t j = 0; j < grid.cases().size(); ++j) {
    out.begin_curve(grid.cases()[j]->name);
    for (std::size_t i = 0; i < grid.sizes().size(); ++i) {
      if (const auto latency = grid.at(i, j)) out.point(grid.sizes()[i], latency->p50_us);
    }
  }
}

void plot(const std::string& path, const LatencyGrid& handed, const LatencyGrid& worked) {
  Gnuplot out(path, 2, "one way, us, median");
  draw(out, handed, "hand-off: both ends of it written and read");
  draw(out, worked, "produce and consume: every byte written and read");
  out.finish();
}

}  // namespace

int run_ool(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) {
    sizes.push_back(small_bytes);
    for (std::size_t bytes = 1024; bytes <= std::size_t{64} << 20; bytes *= 4) {
      sizes.push_back(bytes);
      if (bytes == std::size_t{4} << 20) sizes.push_back(reference_bytes);
    }
  }
  const std::size_t rounds = options.rounds_or(5, 1);
  const std::vector<const Case*> cases = chosen_cases(options, ool_cases);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  const auto batches = [&](std::size_t bytes) { return ool_batch(bytes, options.quick); };
  LatencyGrid handed(sizes, cases, batches);
  // What is only sent again is not made again; made as a whole, all of these are one.
  const auto made = [](const Case& one, std::size_t) {
    return one.name != "mach-cow-again" && one.name != "mach-ool-pages" &&
           one.name != "mach-ool-kernel";
  };
  LatencyGrid worked(sizes, cases, batches, made, Work::produce_consume);
  in_rounds(rounds, handed.batches_in_a_round() + worked.batches_in_a_round(),
            handed.work_in_a_round() + worked.work_in_a_round(), [&](Progress& progress) {
              handed.measure_round(session, progress);
              worked.measure_round(session, progress);
            });
  session.finish();
  handed.write(csv, "ool-hand-off");
  worked.write(csv, "ool-produce-consume");
  csv.finish();

  print_heading("strait_bench ool", options);
  fmt::print("HAND-OFF: the first and last eight bytes are written, and read where they arrive\n");
  print_case_table(handed, "One way, us, 98th percentile", &Latency::p98_us);
  print_case_table(handed, "One way, us, median", &Latency::p50_us);
  print_ratios(handed, handed_over);
  print_growth(handed);
  fmt::print("\nPRODUCE AND CONSUME: every byte is written, and read where it arrives\n");
  print_case_table(worked, "One way, us, 98th percentile", &Latency::p98_us);
  print_case_table(worked, "One way, us, median", &Latency::p50_us);
  print_ratios(worked, worked_on);
  if (!options.plot_path.empty()) plot(options.plot_path, handed, worked);
  return 0;
}

}  // namespace bench
