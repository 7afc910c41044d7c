#pragma once

#include <string_view>
#include <vector>

#include "harness/case.hpp"
#include "harness/options.hpp"

namespace bench {

// Each returns the program's exit status and throws on what it can't go on after.

/// The reference's two tables anew, and a table of every case.
int run_table(const Options& options);
/// The reference's hour of browsing over each case.
int run_replay(const Options& options);
/// Messages of one size, one way, as fast as they go.
int run_stream(const Options& options);

/// The cases asked for, or all.
std::vector<const Case*> chosen_cases(const Options& options);

/// What stands above every table.
void print_heading(std::string_view title, const Options& options);

}  // namespace bench
