#include "harness/allocations.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 7> counted_cases = {
    "mach", "mach-block", "mach-inline", "mach-inline-block", "mach-inline-spin", "pipe", "socket"};

std::string per_message(std::uint64_t allocations, std::size_t messages) {
  const double each = static_cast<double>(allocations) / static_cast<double>(messages);
  return fmt::format("{} ({:.4g})", allocations, each);
}

}  // namespace

int run_allocations(const Options& options) {
  if (!allocations_can_be_counted()) {
    throw std::runtime_error("this build cannot count allocations: not glibc, or a sanitizer");
  }
  if (!options.csv_path.empty()) {
    throw std::invalid_argument("--csv: a count of allocations fits none of its columns");
  }
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {21, 64, 1024, 2400, 4096};
  const std::size_t round_trips = options.quick ? 500 : 5'000;
  const std::size_t streamed = options.quick ? 5'000 : 100'000;
  const std::vector<const Case*> cases = chosen_cases(options, counted_cases);
  require_streams(cases, sizes);

  Session session(options.cores, cases, false);
  session.count_allocations();
  std::vector<std::uint64_t> samples(round_trips);
  std::uint64_t all = 0;
  print_heading("strait_bench allocations: from the heap, in both processes, after warm-up",
                options);
  fmt::print("{:<20}{:>8}{:>26}{:>26}\n", "case", "bytes", "round trips (a message)",
             "stream (a message)");
  for (const std::size_t bytes : sizes) {
    for (std::size_t j = 0; j < cases.size(); ++j) {
      // The first batch of each kind is the warm-up.
      std::uint64_t ping = 0;
      std::uint64_t stream = 0;
      for (int batch = 0; batch < 2; ++batch) {
        session.ping(j, bytes, 0, samples);
        ping = session.allocations();
        session.stream(j, {.count = streamed, .all_bytes = bytes, .largest_bytes = bytes}, false);
        stream = session.allocations();
      }
      fmt::print("{:<20}{:>8}{:>26}{:>26}\n", cases[j]->name, bytes,
                 per_message(ping, 2 * round_trips), per_message(stream, streamed));
      all += ping + stream;
    }
  }
  session.finish();
  fmt::print("\n{} in all\n", all);
  return all == 0 ? 0 : 1;
}

}  // namespace bench
