#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 6> idle_cases = {
    "mach", "mach-block", "mach-inline", "mach-inline-block", "pipe", "socket"};

}  // namespace

int run_idle(const Options& options) {
  constexpr std::chrono::seconds duration{1};
  const std::size_t rounds = options.rounds_or(5, 1);
  const std::vector<const Case*> cases = chosen_cases(options, idle_cases);
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  std::vector<std::vector<double>> used_us(cases.size());
  in_rounds(rounds, cases.size(), static_cast<double>(cases.size()), [&](Progress& progress) {
    for (std::size_t j = 0; j < cases.size(); ++j) {
      progress.announce(std::string(cases[j]->name));
      // A busy moment first, so that whatever adapts expects more to come.
      std::array<std::uint64_t, 100> round_trips;
      session.ping(j, 64, 0, round_trips);
      used_us[j].push_back(static_cast<double>(session.idle(j, duration)) / 1000);
      progress.done(1);
    }
  });
  session.finish();

  print_heading("strait_bench idle: one process waits for a second, nothing comes", options);
  constexpr double us_a_percent = 1e6 / 100;
  fmt::print("{:<20}{:>14}{:>14}{:>14}\n", "case", "CPU, us", "CPU, %", "worst, %");
  for (std::size_t j = 0; j < cases.size(); ++j) {
    const double middle = median(used_us[j]);
    const double worst = *std::max_element(used_us[j].begin(), used_us[j].end());
    fmt::print("{:<20}{:>14}{:>14.4f}{:>14.4f}\n", cases[j]->name, short_number(middle),
               middle / us_a_percent, worst / us_a_percent);
    csv.write({.experiment = "idle",
               .case_name = cases[j]->name,
               .rounds = rounds,
               .latency = Latency{middle, worst}});
  }
  csv.finish();
  return 0;
}

}  // namespace bench
