#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/gnuplot.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"
#include "reference.hpp"

namespace bench {

namespace {

/// The reference's three programs, and what it did not have.
constexpr std::array<std::string_view, 4> reference_cases = {"fifo", "mach-inline", "mach-ool",
                                                             "mach-loan"};

constexpr std::size_t timed_messages = 2000;
constexpr std::size_t timed_large_messages = 200;
constexpr std::size_t large_bytes = 256 * 1024;

Batch table_batch(std::size_t bytes, std::size_t rounds, bool quick) {
  const bool large = bytes >= large_bytes;
  if (quick) return large ? Batch{1, 2} : Batch{10, 40};
  const std::size_t timed = large ? timed_large_messages : timed_messages;
  return {large ? 5u : 100u, (timed + rounds - 1) / rounds};
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

void print_reference_heading() {
  fmt::print(
      "One way, us, 98th percentile. % = FIFO / min(Mach, Mach OOL). Published: Mac OS X, "
      "2008, desktop and laptop, +/- 10 us.\n\n");
  fmt::print("{:>11} |{:^45}|{:^33}|{:^33}\n", "", "this machine", "published, first table",
             "published, second table");
  fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9}{:>9} |{:>7}{:>9}{:>7}{:>9} |{:>7}{:>9}{:>7}{:>9}\n",
             "Packet size", "Mach", "Mach OOL", "FIFO", "%", "Loan", "Mach", "Mach OOL", "FIFO",
             "%", "Mach", "Mach OOL", "FIFO", "%");
}

void print_reference_row(const LatencyGrid& grid, std::size_t bytes) {
  const auto mach = p98_us(grid, bytes, "mach-inline");
  const auto ool = p98_us(grid, bytes, "mach-ool");
  const auto fifo = p98_us(grid, bytes, "fifo");
  fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9}{:>9} |{} |{}\n", bytes, cell_text(mach), cell_text(ool),
             cell_text(fifo), percent_better(mach, ool, fifo),
             cell_text(p98_us(grid, bytes, "mach-loan")), published_cells(published_first, bytes),
             published_cells(published_second, bytes));
  std::fflush(stdout);  // whoever reads it in a pipe sees it now, too
}

/// How many times as long a FIFO takes, at the most and at the least, over the sizes up to a limit.
struct Advantage {
  double least = HUGE_VAL;
  double most = 0;
};
Advantage over_fifo(const LatencyGrid& grid, std::string_view name, std::size_t up_to_bytes) {
  Advantage found;
  for (const std::size_t bytes : grid.sizes()) {
    const auto ratio = grid.ratio(bytes, "fifo", name, &Latency::p98_us);
    if (!ratio || bytes > up_to_bytes) continue;
    found.least = std::min(found.least, *ratio);
    found.most = std::max(found.most, *ratio);
  }
  return found;
}

/// What the figures mean, in two sentences.
void print_meaning(const LatencyGrid& grid) {
  const Advantage small = over_fifo(grid, "mach-inline", 4096);
  if (small.most != 0) {
    fmt::print(
        "\nUp to 4,096 bytes a message over Mach, inline, is {:.0f} to {:.0f} times as fast as "
        "one over a FIFO; the reference published 12.8 at the best.\n",
        small.least, small.most);
  }
  const std::size_t smallest = grid.sizes().front();
  const std::size_t largest = grid.sizes().back();
  const auto first = p98_us(grid, smallest, "mach-loan");
  const auto last = p98_us(grid, largest, "mach-loan");
  const auto fifo = p98_us(grid, largest, "fifo");
  const auto ool = p98_us(grid, largest, "mach-ool");
  if (first && last && fifo && ool) {
    fmt::print(
        "A loan costs {} us at {} bytes and {} us at {}, where the FIFO takes {} us, and a buffer "
        "out of line that is sent again with 16 bytes of it written {} us: what is lent, or has "
        "not changed, is not copied.\n",
        cell_text(first), smallest, cell_text(last), largest, cell_text(fifo), cell_text(ool));
  }
}

/// The figures beside the published ones.
void plot(const std::string& path, const LatencyGrid& grid) {
  Gnuplot out(path, 1, "one way, us, 98th percentile");
  out.begin_graph("this machine, and what was published in 2008");
  const auto line = [&](std::string_view title, auto&& value) {
    out.begin_curve(title);
    for (const std::size_t bytes : grid.sizes()) {
      if (const std::optional<double> us = value(bytes)) out.point(bytes, *us);
    }
  };
  for (const Case* one : grid.cases()) {
    line(one->name, [&](std::size_t bytes) { return p98_us(grid, bytes, one->name); });
  }
  const auto published = [&](std::string_view title, int PublishedRow::*column) {
    line(title, [&](std::size_t bytes) -> std::optional<double> {
      for (const PublishedRow& row : published_first) {
        if (row.bytes == bytes) return row.*column;
      }
      return {};
    });
  };
  published("published: Mach", &PublishedRow::mach_us);
  published("published: Mach OOL", &PublishedRow::mach_ool_us);
  published("published: FIFO", &PublishedRow::fifo_us);
  out.finish();
}

}  // namespace

int run_table(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) {
    for (const PublishedRow& row : published_first) sizes.push_back(row.bytes);
  }
  const std::size_t rounds = options.rounds_or(5, 2);
  const std::span<const std::string_view> usual =
      options.all ? std::span<const std::string_view>(standard_cases) : reference_cases;
  const std::vector<const Case*> cases = chosen_cases(options, usual);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid grid(sizes, cases,
                   [&](std::size_t bytes) { return table_batch(bytes, rounds, options.quick); });

  print_heading("strait_bench table", options);
  print_reference_heading();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    grid.measure_size(session, i, rounds);
    print_reference_row(grid, sizes[i]);
  }
  session.finish();
  grid.write(csv, "table");
  csv.finish();
  print_meaning(grid);
  if (options.all) {
    print_case_table(grid, "Every case, one way, us, 98th percentile", &Latency::p98_us);
    print_case_table(grid, "Every case, one way, us, median", &Latency::p50_us);
  }
  if (!options.plot_path.empty()) plot(options.plot_path, grid);
  return 0;
}

}  // namespace bench
