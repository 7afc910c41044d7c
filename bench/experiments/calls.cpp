#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "harness/allocations.hpp"
#include "harness/csv.hpp"
#include "harness/session.hpp"

namespace bench {

int run_calls(const Options& options) {
  constexpr std::array<std::string_view, 2> names = {"call", "call-bare"};
  constexpr std::size_t bytes = 64;
  const std::vector<const Case*> cases = chosen_cases(options, names);
  const std::size_t rounds = options.rounds_or(21, 2);

  CsvFile csv(options.csv_path);
  const Batch batch = options.quick ? Batch{5, 20} : Batch{500, 5'000};
  LatencyGrid latencies({bytes}, cases, [&](std::size_t) { return batch; });
  {
    Session session(options.cores, cases, false);
    latencies.measure(session, rounds);
    session.finish();
  }
  latencies.write(csv, "calls");
  csv.finish();

  print_heading("strait_bench calls: half of a round trip, 64 bytes each way", options);
  print_case_table(latencies, "us, median", &Latency::p50_us);
  print_case_table(latencies, "us, 98th percentile", &Latency::p98_us);
  const auto ratio = latencies.ratio(bytes, "call", "call-bare", &Latency::p50_us);
  if (ratio) fmt::print("\na call and its reply over a bare round trip, median: {:.2f}\n", *ratio);

  if (!allocations_can_be_counted()) return 0;
  Session session(options.cores, cases, false);
  session.count_allocations();
  std::vector<std::uint64_t> samples(options.quick ? 100 : 5'000);
  for (std::size_t j = 0; j < cases.size(); ++j) {
    // The first one is the warm-up.
    session.ping(j, bytes, 0, samples);
    session.ping(j, bytes, 0, samples);
    fmt::print("{}: {} allocations in {} round trips, in both processes\n", cases[j]->name,
               session.allocations(), samples.size());
  }
  session.finish();
  return 0;
}

}  // namespace bench
