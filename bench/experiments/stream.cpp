#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "experiments/experiments.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

// A batch is as many messages as this case moves in about this time, found out by a first try.
constexpr double batch_s = 0.1;
constexpr double quick_batch_s = 0.01;
constexpr std::size_t first_try_messages = 200;
constexpr std::size_t most_messages = 2'000'000;

}  // namespace

int run_stream(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {21, 49, 64, 258, 1024, 2400, 16'384, 65'536};
  const std::size_t rounds = options.rounds_or(5, 2);

  CsvFile csv(options.csv_path);
  Session session(options.cores, chosen_cases(options), false);
  const std::size_t cases = session.cases().size();
  struct Cell {
    std::size_t messages = 0;
    std::vector<double> rates;
  };
  std::vector<Cell> cells(sizes.size() * cases);
  {
    Progress progress(rounds * cells.size(), static_cast<double>(rounds * cells.size()));
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        for (std::size_t j = 0; j < cases; ++j) {
          Cell& cell = cells[i * cases + j];
          progress.announce(fmt::format("{}, {} B", session.cases()[j]->name, sizes[i]));
          const auto stream = [&](std::size_t count) {
            return session
                .stream(j, {.count = count, .all_bytes = sizes[i], .largest_bytes = sizes[i]},
                        false)
                .messages_per_s;
          };
          const double first_rate = stream(first_try_messages);
          if (cell.messages == 0) {
            const double wanted = first_rate * (options.quick ? quick_batch_s : batch_s);
            cell.messages =
                std::clamp(static_cast<std::size_t>(wanted), first_try_messages, most_messages);
          }
          cell.rates.push_back(stream(cell.messages));
          progress.done(1);
        }
      }
    }
  }
  session.finish();

  print_heading("strait_bench stream: one way, thousand messages a second", options);
  fmt::print("{:>8}", "bytes");
  std::vector<std::size_t> widths;
  for (const Case* one : session.cases()) {
    widths.push_back(std::max<std::size_t>(one->name.size(), 8) + 2);
    fmt::print("{:>{}}", one->name, widths.back());
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    fmt::print("{:>8}", sizes[i]);
    for (std::size_t j = 0; j < cases; ++j) {
      const Cell& cell = cells[i * cases + j];
      const double rate = median(cell.rates);
      fmt::print("{:>{}}", short_number(rate / 1000), widths[j]);
      csv.write({.experiment = "stream",
                 .case_name = session.cases()[j]->name,
                 .bytes = sizes[i],
                 .rounds = rounds,
                 .messages = rounds * cell.messages,
                 .messages_per_s = rate});
    }
    fmt::print("\n");
  }
  csv.finish();
  return 0;
}

}  // namespace bench
