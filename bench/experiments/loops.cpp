#include <fmt/format.h>

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

int run_loops(const Options& options) {
  constexpr std::array<std::string_view, 4> names = {"loop-wait", "loop-epoll", "loop-coroutine",
                                                     "loop-asio"};
  if (find_case(names[1]) == nullptr) {
    throw std::runtime_error("Asio was not found when this was built: use `bench/run loops`");
  }
  const std::vector<std::size_t> sizes = {64};
  const std::vector<const Case*> cases = chosen_cases(options, names);
  require_streams(cases, sizes);

  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  const Batch batch = options.quick ? Batch{5, 20} : Batch{200, 2'000};
  LatencyGrid latencies(sizes, cases, [&](std::size_t) { return batch; });
  RateGrid rates(sizes, cases, options.quick);
  const double work = latencies.work_in_a_round();
  in_rounds(options.rounds_or(15, 2), latencies.batches_in_a_round() + rates.batches_in_a_round(),
            2 * work, [&](Progress& progress) {
              latencies.measure_round(session, progress);
              rates.measure_round(session, progress,
                                  work / static_cast<double>(rates.batches_in_a_round()));
            });
  session.finish();
  latencies.write(csv, "loops-latency");
  rates.write(csv, "loops-stream");
  csv.finish();

  print_heading("strait_bench loops: 64 bytes", options);
  print_case_table(latencies, "One way, us, median", &Latency::p50_us);
  fmt::print("\nOne way, thousand messages a second\n\n");
  rates.print();
  fmt::print("\n{:>16}{:>28}{:>28}\n", "", "latency over loop-epoll", "stream over wait");
  for (const Case* one : cases) {
    fmt::print("{:>16}{:>28}{:>28}\n", one->name,
               cell_text(latencies.ratio(sizes[0], one->name, "loop-epoll", &Latency::p50_us)),
               cell_text(rates.ratio(0, one->name, names[0])));
  }
  return 0;
}

}  // namespace bench
