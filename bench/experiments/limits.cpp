#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/clock.hpp"
#include "harness/csv.hpp"
#include "harness/guard.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

// Floors first, what stands on them below.
constexpr std::array<std::string_view, 12> limit_cases = {
    "cache-line",  "ring", "mach-inline-spin", "futex",          "eventfd",
    "bare-pipe",   "fifo", "unix-stream",      "unix-seqpacket", "mach-inline-block",
    "mach-inline", "mach"};

constexpr std::size_t word_bytes = 8;
constexpr std::size_t line_bytes = 64;
constexpr std::initializer_list<std::size_t> small_sizes = {word_bytes, 21,   49,   line_bytes,
                                                            258,        1024, 2400, 4096};
constexpr std::initializer_list<std::size_t> copy_sizes = {
    64, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024, 7 * 1024 * 1024};

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Wake-ups don't depend on the size, and only some cases are of interest where copies count.
bool wanted(const Case& one, std::size_t bytes) {
  if (bytes == word_bytes || bytes == line_bytes) return one.name != "mach";
  if (bytes > 4096) return is_one_of(one.name, {"ring", "mach"});
  return is_one_of(one.name, {"ring", "fifo", "mach-inline", "mach-inline-spin"});
}

Batch limits_batch(std::size_t bytes, bool quick) {
  const std::size_t budget = (quick ? std::size_t{4} : std::size_t{128}) << 20;
  const std::size_t timed = std::clamp<std::size_t>(budget / bytes, 2, quick ? 100 : 2000);
  return {std::max<std::size_t>(timed / 10, 1), timed};
}

/// Copies within one process, source and destination warm as far as they fit the caches.
class Copies {
 public:
  explicit Copies(std::vector<std::size_t> sizes)
      : rounds_(sizes.size()), sizes_(std::move(sizes)) {
    const std::size_t largest = *std::max_element(sizes_.begin(), sizes_.end());
    from_.assign(largest, std::byte{1});
    to_.assign(largest, std::byte{2});
  }

  const std::vector<std::size_t>& sizes() const noexcept { return sizes_; }

  void measure_round(bool quick) {
    guard::start_batch("memcpy");
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const std::size_t bytes = sizes_[i];
      // A sample lasts for at least a few microseconds, which the clock can tell apart.
      const std::size_t repeats = std::max<std::size_t>(64 * 1024 / bytes, 1);
      samples_.assign(samples_for(bytes, quick), 0);
      copy(bytes, repeats);
      for (double& sample : samples_) {
        const std::uint64_t before = now_ns();
        copy(bytes, repeats);
        const std::uint64_t after = now_ns();
        sample = static_cast<double>(after - before) / 1000 / static_cast<double>(repeats);
      }
      rounds_[i].push_back(latency_of(std::span(samples_)));
    }
  }

  Latency at(std::size_t size_index) const { return median_of(rounds_[size_index]); }

  void write(CsvFile& csv, bool quick) const {
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      csv.write({.experiment = "limits",
                 .case_name = "memcpy",
                 .bytes = sizes_[i],
                 .rounds = rounds_[i].size(),
                 .messages = rounds_[i].size() * samples_for(sizes_[i], quick),
                 .latency = at(i)});
    }
  }

 private:
  static std::size_t samples_for(std::size_t bytes, bool quick) noexcept {
    return std::clamp<std::size_t>((std::size_t{256} << 20) / bytes, 10, quick ? 20 : 500);
  }

  void copy(std::size_t bytes, std::size_t repeats) {
    for (std::size_t i = 0; i < repeats; ++i) {
      std::memcpy(to_.data(), from_.data(), bytes);
      // Somebody might look at it now: none of the copies may be left out.
      asm volatile("" : : "r"(to_.data()), "r"(from_.data()) : "memory");
    }
  }

  std::vector<std::vector<Latency>> rounds_;
  std::vector<std::size_t> sizes_;
  std::vector<std::byte> from_;
  std::vector<std::byte> to_;
  std::vector<double> samples_;
};

void print_small(const LatencyGrid& grid, bool asked) {
  fmt::print("One way, us\n\n{:<20}{:>8}{:>10}{:>10}{:>10}{:>12}\n", "case", "bytes", "p50", "p98",
             "p99", "p99 / p50");
  for (const Case* one : grid.cases()) {
    for (const std::size_t bytes : grid.sizes()) {
      if (!asked && bytes != word_bytes && bytes != line_bytes) continue;
      const auto latency = grid.at(bytes, one->name);
      if (!latency) continue;
      fmt::print("{:<20}{:>8}{:>10}{:>10}{:>10}{:>12}\n", one->name, bytes,
                 short_number(latency->p50_us), short_number(latency->p98_us),
                 short_number(latency->p99_us), short_number(latency->p99_us / latency->p50_us));
    }
  }
}

struct Bar {
  std::string_view figure;
  std::string_view upper;
  std::string_view lower;
  double Latency::*percentile;
  std::initializer_list<std::size_t> sizes;
  std::string_view bar;
};

void print_limit_ratios(const LatencyGrid& grid) {
  static const Bar bars[] = {
      {"p50, mach-inline-spin over ring",
       "mach-inline-spin",
       "ring",
       &Latency::p50_us,
       {21, 49, 64, 258, 1024},
       "at most 1.15, aim 1.0"},
      {"p98, mach-inline-spin over ring",
       "mach-inline-spin",
       "ring",
       &Latency::p98_us,
       {21, 49, 64, 258, 1024},
       "at most 1.5, aim 1.1"},
      {"p50, mach-inline-block over futex",
       "mach-inline-block",
       "futex",
       &Latency::p50_us,
       {8, 64},
       "at most 1.3, aim 1.0"},
      {"p98, fifo over mach-inline",
       "fifo",
       "mach-inline",
       &Latency::p98_us,
       {21, 64, 258, 1024, 4096},
       "at least 12.8, aim 100"},
  };
  fmt::print("\nRatios, median over the rounds\n");
  for (const Bar& one : bars) {
    fmt::print("\n{:<36}{:<24}", one.figure, one.bar);
    for (const std::size_t bytes : one.sizes) {
      fmt::print("  {} B: {}", bytes,
                 cell_text(grid.ratio(bytes, one.upper, one.lower, one.percentile)));
    }
  }
  fmt::print("\n");
}

void print_copies(const Copies& copies, const LatencyGrid& grid) {
  fmt::print(
      "\nCopies within one process, and messages, us\n\n{:>8}{:>14}{:>14}{:>12}{:>12}{:>16}\n",
      "bytes", "memcpy p50", "memcpy p98", "ring p50", "mach p50", "mach / memcpy");
  for (std::size_t i = 0; i < copies.sizes().size(); ++i) {
    const std::size_t bytes = copies.sizes()[i];
    const Latency copy = copies.at(i);
    const auto mach = grid.at(bytes, bytes > 4096 ? "mach" : "mach-inline");
    fmt::print("{:>8}{:>14}{:>14}{:>12}{:>12}{:>16}\n", bytes, short_number(copy.p50_us),
               short_number(copy.p98_us), cell_text(grid.at(bytes, "ring"), &Latency::p50_us),
               cell_text(mach, &Latency::p50_us),
               mach ? short_number(mach->p50_us / copy.p50_us) : "-");
  }
}

}  // namespace

int run_limits(const Options& options) {
  const std::size_t rounds = options.rounds_or(5, 2);
  std::vector<std::size_t> sizes = options.sizes;
  std::vector<std::size_t> copied = options.sizes;
  if (sizes.empty()) {
    sizes = small_sizes;
    std::copy_if(copy_sizes.begin(), copy_sizes.end(), std::back_inserter(sizes),
                 [](std::size_t bytes) { return bytes > 4096; });
    copied = copy_sizes;
  }
  // Who asks for cases or sizes gets them all.
  const bool asked = !options.sizes.empty() || !options.cases.empty();

  const std::vector<const Case*> cases = chosen_cases(options, limit_cases);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid grid(
      sizes, cases, [&](std::size_t bytes) { return limits_batch(bytes, options.quick); },
      asked ? LatencyGrid::Wanted() : wanted);
  Copies copies(copied);
  in_rounds(rounds, grid.batches_in_a_round(), grid.work_in_a_round(), [&](Progress& progress) {
    grid.measure_round(session, progress);
    copies.measure_round(options.quick);
  });
  session.finish();
  grid.write(csv, "limits");
  copies.write(csv, options.quick);
  csv.finish();

  print_heading("strait_bench limits", options);
  print_small(grid, asked);
  print_limit_ratios(grid);
  print_copies(copies, grid);
  return 0;
}

}  // namespace bench
