#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"
#include "reference.hpp"

namespace bench {

namespace {

constexpr std::size_t timed_messages = 2000;
constexpr std::size_t large_bytes = 256 * 1024;

Batch table_batch(std::size_t bytes, std::size_t rounds, bool quick) {
  const bool large = bytes >= large_bytes;
  if (quick) return large ? Batch{1, 2} : Batch{10, 40};
  return {large ? 5u : 100u, (timed_messages + rounds - 1) / rounds};
}

std::optional<double> p98_us(const LatencyGrid& grid, std::size_t bytes, std::string_view name) {
  const auto latency = grid.at(bytes, name);
  if (!latency) return {};
  return latency->p98_us;
}

// As the reference has it: of the unrounded times, cut to a whole number.
std::string percent_better(const std::optional<double>& mach, const std::optional<double>& ool,
                           const std::optional<double>& fifo) {
  if (!mach || !ool || !fifo) return "-";
  return fmt::format("{:.0f}", std::floor(100 * *fifo / std::min(*mach, *ool)));
}

std::string published_cells(const std::array<PublishedRow, 15>& table, std::size_t bytes) {
  for (const PublishedRow& row : table) {
    if (row.bytes != bytes) continue;
    return fmt::format("{:>7}{:>9}{:>7}{:>9}", row.mach_us, row.mach_ool_us, row.fifo_us,
                       row.percent);
  }
  return fmt::format("{:>7}{:>9}{:>7}{:>9}", "-", "-", "-", "-");
}

void print_reference_table(const LatencyGrid& grid) {
  fmt::print(
      "One way, us, 98th percentile. % = FIFO / min(Mach, Mach OOL). Published: Mac OS X, "
      "2008, desktop and laptop, +/- 10 us.\n\n");
  fmt::print("{:>11} |{:^36}|{:^33}|{:^33}\n", "", "this machine", "published, first table",
             "published, second table");
  fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9} |{:>7}{:>9}{:>7}{:>9} |{:>7}{:>9}{:>7}{:>9}\n",
             "Packet size", "Mach", "Mach OOL", "FIFO", "%", "Mach", "Mach OOL", "FIFO", "%",
             "Mach", "Mach OOL", "FIFO", "%");
  for (std::size_t i = 0; i < grid.sizes().size(); ++i) {
    const std::size_t bytes = grid.sizes()[i];
    const auto mach = p98_us(grid, bytes, "mach-inline");
    const auto ool = p98_us(grid, bytes, "mach-cow");
    const auto fifo = p98_us(grid, bytes, "fifo");
    fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9} |{} |{}\n", bytes, cell_text(mach), cell_text(ool),
               cell_text(fifo), percent_better(mach, ool, fifo),
               published_cells(published_first, bytes), published_cells(published_second, bytes));
  }
}

}  // namespace

int run_table(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) {
    for (const PublishedRow& row : published_first) sizes.push_back(row.bytes);
  }
  const std::size_t rounds = options.rounds_or(5, 2);
  const std::vector<const Case*> cases = chosen_cases(options, standard_cases);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid grid(sizes, cases,
                   [&](std::size_t bytes) { return table_batch(bytes, rounds, options.quick); });
  grid.measure(session, rounds);
  session.finish();
  grid.write(csv, "table");
  csv.finish();

  print_heading("strait_bench table", options);
  print_reference_table(grid);
  print_case_table(grid, "Every case, one way, us, 98th percentile", &Latency::p98_us);
  print_case_table(grid, "Every case, one way, us, median", &Latency::p50_us);
  return 0;
}

}  // namespace bench
