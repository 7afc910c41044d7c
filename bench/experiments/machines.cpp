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

int run_machines(const Options& options) {
  constexpr std::array<std::string_view, 2> names = {"machines", "zmq-curve"};
  if (find_case(names[0]) == nullptr) {
    throw std::runtime_error("libzmq was not found when this was built: use `bench/run machines`");
  }
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {64, 1024, 16 * 1024, 64 * 1024, 1024 * 1024};
  const std::vector<const Case*> cases = chosen_cases(options, names);
  require_streams(cases, sizes);

  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  LatencyGrid latencies(sizes, cases, [&](std::size_t bytes) {
    const std::size_t budget = (options.quick ? std::size_t{8} : std::size_t{128}) << 20;
    const auto timed = std::clamp<std::size_t>(budget / bytes, 2, options.quick ? 40 : 1000);
    return Batch{std::max<std::size_t>(timed / 4, 1), timed};
  });
  RateGrid rates(sizes, cases, options.quick);
  const double work = latencies.work_in_a_round();
  in_rounds(options.rounds_or(9, 2), latencies.batches_in_a_round() + rates.batches_in_a_round(),
            2 * work, [&](Progress& progress) {
              latencies.measure_round(session, progress);
              rates.measure_round(session, progress,
                                  work / static_cast<double>(rates.batches_in_a_round()));
            });
  session.finish();
  latencies.write(csv, "machines-latency");
  rates.write(csv, "machines-stream");
  csv.finish();

  print_heading("strait_bench machines: over the loopback interface", options);
  print_case_table(latencies, "One way, us, median", &Latency::p50_us);
  print_case_table(latencies, "One way, us, 98th percentile", &Latency::p98_us);
  fmt::print("\nOne way, thousand messages a second\n\n");
  rates.print();
  fmt::print("\nThe library over bare libzmq\n\n{:>8}{:>18}{:>18}\n", "bytes", "latency, median",
             "stream");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    fmt::print("{:>8}{:>18}{:>18}\n", sizes[i],
               cell_text(latencies.ratio(sizes[i], names[0], names[1], &Latency::p50_us)),
               cell_text(rates.ratio(i, names[0], names[1])));
  }
  return 0;
}

}  // namespace bench
