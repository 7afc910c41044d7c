#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "experiments/rate_grid.hpp"
#include "harness/csv.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 5> ours = {"mach", "mach-inline", "mach-cow-fresh",
                                                  "mach-loan-send", "mach-loan"};
constexpr std::array<std::string_view, 5> theirs = {"boost-mq", "zmq-ipc", "nng-ipc",
                                                    "iceoryx-poll", "iceoryx-wait"};

// By bytes, so that the large ones don't take forever; of the small ones enough for a percentile of
// 99.99.
Batch peers_batch(std::size_t bytes, bool quick) {
  const std::size_t budget = (quick ? std::size_t{8} : std::size_t{128}) << 20;
  const std::size_t timed = std::clamp<std::size_t>(budget / bytes, 2, quick ? 40 : 4'000);
  return {std::clamp<std::size_t>(timed / 4, 1, 100), timed};
}

bool has_case(const LatencyGrid& grid, std::string_view name) {
  return std::ranges::any_of(grid.cases(), [&](const Case* one) { return one->name == name; });
}

/// Of the cases that ran.
void print_ahead(const LatencyGrid& latencies, const RateGrid& rates, std::string_view own) {
  std::vector<std::string_view> peers;
  for (const std::string_view name : theirs) {
    if (has_case(latencies, name)) peers.push_back(name);
  }
  if (peers.empty() || !has_case(latencies, own)) return;
  fmt::print(
      "\nHow many times as fast {} is: latency (median) and stream, each the median over the "
      "rounds\n\n{:>8}",
      own, "bytes");
  for (const std::string_view name : peers) {
    fmt::print("{:>21}{:>21}", fmt::format("{} latency", name), fmt::format("{} stream", name));
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < latencies.sizes().size(); ++i) {
    fmt::print("{:>8}", latencies.sizes()[i]);
    for (const std::string_view name : peers) {
      fmt::print("{:>21}{:>21}",
                 cell_text(latencies.ratio(latencies.sizes()[i], name, own, &Latency::p50_us)),
                 cell_text(rates.ratio(i, own, name)));
    }
    fmt::print("\n");
  }
}

}  // namespace

int run_peers(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {64, 1024, 64 * 1024, 1024 * 1024, 7 * 1024 * 1024};
  const std::size_t rounds = options.rounds_or(5, 2);
  std::vector<std::string_view> names;
  for (const std::string_view name : theirs) {
    if (find_case(name) != nullptr) {
      names.push_back(name);
    } else {
      fmt::print(stderr, "strait_bench: this build has no {}\n", name);
    }
  }
  if (names.empty()) {
    throw std::runtime_error("no peer was found when this was built: use `bench/run peers`");
  }
  names.insert(names.begin(), ours.begin(), ours.end());
  const std::vector<const Case*> cases = chosen_cases(options, names);
  require_streams(cases, sizes);

  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid latencies(sizes, cases,
                        [&](std::size_t bytes) { return peers_batch(bytes, options.quick); });
  RateGrid rates(sizes, cases, options.quick);
  // As much work for the rates as for the latencies, roughly.
  const double work = latencies.work_in_a_round();
  in_rounds(rounds, latencies.batches_in_a_round() + rates.batches_in_a_round(), 2 * work,
            [&](Progress& progress) {
              latencies.measure_round(session, progress);
              rates.measure_round(session, progress,
                                  work / static_cast<double>(rates.batches_in_a_round()));
            });
  session.finish();
  latencies.write(csv, "peers-latency");
  rates.write(csv, "peers-stream");
  csv.finish();

  print_heading("strait_bench peers", options);
  print_case_table(latencies, "One way, us, 98th percentile", &Latency::p98_us);
  print_case_table(latencies, "One way, us, median", &Latency::p50_us);
  fmt::print("\nOne way, thousand messages a second\n\n");
  rates.print();
  print_ahead(latencies, rates, "mach");
  print_ahead(latencies, rates, "mach-loan-send");  // held against Boost, which trusts its peer
  print_ahead(latencies, rates, "mach-loan");       // held against iceoryx, which lends, too
  return 0;
}

}  // namespace bench
