#include <fmt/format.h>

#include <stdexcept>

#include "experiments/experiments.hpp"

namespace bench {

std::vector<const Case*> chosen_cases(const Options& options,
                                      std::span<const std::string_view> otherwise) {
  std::vector<const Case*> chosen;
  if (options.cases.empty()) {
    for (const std::string_view name : otherwise) {
      // Not every system has every case.
      if (const Case* const one = find_case(name)) chosen.push_back(one);
    }
  }
  for (const std::string& name : options.cases) chosen.push_back(&case_named(name));
  return chosen;
}

void require_streams(std::span<const Case* const> cases, std::span<const std::size_t> sizes) {
  for (const Case* one : cases) {
    if (!one->streams) {
      throw std::invalid_argument(
          fmt::format("{} holds one message at a time: it has a latency, no rate", one->name));
    }
    for (const std::size_t bytes : sizes) {
      if (bytes > one->largest_bytes) {
        throw std::invalid_argument(
            fmt::format("{} carries no more than {} bytes", one->name, one->largest_bytes));
      }
    }
  }
}

void print_heading(std::string_view title, const Options& options) {
  fmt::print("{}\n{}\n", title, options.machine);
  if (options.cores.shared()) {
    fmt::print(
        "Both processes share one core: whoever spins keeps the other from running, and no "
        "figure compares with those of two cores.\n");
  }
  if (options.quick) fmt::print("A smoke run: too few messages for figures to be quoted.\n");
  fmt::print("\n");
}

}  // namespace bench
