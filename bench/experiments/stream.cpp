#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/rate_grid.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

int run_stream(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {21, 49, 64, 258, 1024, 2400, 16'384, 65'536};
  const std::size_t rounds = options.rounds_or(5, 2);
  std::vector<std::string_view> names(standard_cases.begin(), standard_cases.end());
  names.push_back("ring-batched");
  const std::vector<const Case*> cases = chosen_cases(options, names);
  require_streams(cases, sizes);

  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, false);
  RateGrid grid(sizes, cases, options.quick);
  in_rounds(rounds, grid.batches_in_a_round(), static_cast<double>(grid.batches_in_a_round()),
            [&](Progress& progress) { grid.measure_round(session, progress); });
  session.finish();

  print_heading("strait_bench stream: one way, thousand messages a second", options);
  grid.print();
  fmt::print("\nmach-inline over the better of the bare rings, median over the rounds\n\n");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto plain = grid.ratio(i, "mach-inline", "ring");
    const auto batched = grid.ratio(i, "mach-inline", "ring-batched");
    if (!plain || !batched) continue;
    fmt::print("{:>8}{:>10}\n", sizes[i], short_number(std::min(*plain, *batched)));
  }
  grid.write(csv, "stream");
  csv.finish();
  return 0;
}

}  // namespace bench
