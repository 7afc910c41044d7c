#include <fmt/format.h>

#include "experiments/experiments.hpp"

namespace bench {

std::vector<const Case*> chosen_cases(const Options& options) {
  std::vector<const Case*> chosen;
  if (options.cases.empty()) {
    for (const Case& one : all_cases()) chosen.push_back(&one);
  }
  for (const std::string& name : options.cases) chosen.push_back(&case_named(name));
  return chosen;
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
