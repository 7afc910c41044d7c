#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/cores.hpp"

namespace bench {

/// What every subcommand takes.
struct Options {
  std::string csv_path = {};
  /// table: every case, not only the reference's.
  bool all = false;
  /// table, ool: where the picture goes; none if empty.
  std::string plot_path = {};
  Cores cores = {};
  /// As it was before anything was pinned.
  std::string machine = {};
  /// Empty means: the subcommand's own choice.
  std::vector<std::string> cases = {};
  std::vector<std::size_t> sizes = {};
  /// 0 means: the subcommand's own choice.
  std::size_t rounds = 0;
  bool quick = false;

  std::size_t rounds_or(std::size_t full, std::size_t smoke) const noexcept {
    return rounds != 0 ? rounds : quick ? smoke : full;
  }
};

}  // namespace bench
