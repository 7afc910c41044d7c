#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "harness/case.hpp"
#include "harness/csv.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

/// Messages a second of cases by sizes, measured in rounds. A batch is as many messages as its case
/// moves in about a tenth of a second, found out by a first try.
class RateGrid {
 public:
  RateGrid(std::vector<std::size_t> sizes, std::span<const Case* const> cases, bool quick);

  std::size_t batches_in_a_round() const noexcept { return cells_.size(); }

  /// The session's cases are those of the grid. Each batch counts as one unit of the progress's
  /// work times `work_each`.
  void measure_round(Session& session, Progress& progress, double work_each = 1);

  /// The median over the rounds; there must have been some, as there are not for what is more than
  /// the case carries.
  double rate(std::size_t size_index, std::size_t case_index) const;

  /// How many times as many messages one case moves as another: the median over the rounds. None if
  /// either was not measured.
  std::optional<double> ratio(std::size_t size_index, std::string_view name,
                              std::string_view over) const;

  void write(CsvFile& csv, std::string_view experiment) const;
  /// A line a size, a column a case, in thousand messages a second.
  void print() const;

 private:
  struct Cell {
    std::size_t messages = 0;
    std::vector<double> rates = {};
  };

  std::vector<std::size_t> sizes_;
  std::vector<const Case*> cases_;
  bool quick_;
  std::vector<Cell> cells_;
};

}  // namespace bench
