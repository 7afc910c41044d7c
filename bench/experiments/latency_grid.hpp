#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "harness/case.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

/// How many round trips a round makes with one case and size.
struct Batch {
  std::size_t warm_up;
  std::size_t timed;

  /// What it may take, roughly, for the progress bar's sake: wake-ups, and the copies.
  double work(std::size_t bytes) const noexcept {
    return static_cast<double>(warm_up + timed) * (40'000.0 + static_cast<double>(bytes));
  }
};

/// Latencies of cases by sizes, measured in rounds.
class LatencyGrid {
 public:
  using BatchFor = std::function<Batch(std::size_t bytes)>;
  using Wanted = std::function<bool(const Case&, std::size_t bytes)>;

  /// `wanted`: which sizes to measure with which case; all if empty, but never more than it
  /// carries.
  LatencyGrid(std::vector<std::size_t> sizes, std::span<const Case* const> cases,
              BatchFor batch_for, const Wanted& wanted = {}, Work work = Work::hand_off);

  const std::vector<std::size_t>& sizes() const noexcept { return sizes_; }
  const std::vector<const Case*>& cases() const noexcept { return cases_; }

  std::size_t batches_in_a_round() const noexcept;
  double work_in_a_round() const;

  /// The session's cases are those of the grid. Sizes outside, cases inside: a noisy moment hits
  /// all cases alike.
  void measure_round(Session& session, Progress& progress);
  /// That many of them, and nothing else.
  void measure(Session& session, std::size_t rounds);
  /// One size in all its rounds, so that its figures are there before those of the next.
  void measure_size(Session& session, std::size_t size_index, std::size_t rounds);

  /// Medians over the rounds; none for what was not measured.
  std::optional<Latency> at(std::size_t size_index, std::size_t case_index) const;
  std::optional<Latency> at(std::size_t bytes, std::string_view name) const;

  /// How many times one case takes what another takes: the median over the rounds, because what
  /// stands side by side in one round saw the same weather.
  std::optional<double> ratio(std::size_t bytes, std::string_view name, std::string_view over,
                              double Latency::*figure) const;

  void write(CsvFile& csv, std::string_view experiment);

 private:
  void measure_batches(Session& session, Progress& progress, std::size_t size_index);

  struct Cell {
    bool wanted = true;
    std::vector<Latency> rounds = {};
    /// Of all rounds, for what is rare.
    std::vector<std::uint64_t> round_trip_ns = {};
  };

  Cell& cell(std::size_t size_index, std::size_t case_index) {
    return cells_[size_index * cases_.size() + case_index];
  }
  const Cell& cell(std::size_t size_index, std::size_t case_index) const {
    return cells_[size_index * cases_.size() + case_index];
  }
  const Cell* find(std::size_t bytes, std::string_view name) const;

  std::vector<std::size_t> sizes_;
  std::vector<const Case*> cases_;
  BatchFor batch_for_;
  Work work_;
  std::vector<Cell> cells_;
};

/// A line a size, a column a case.
void print_case_table(const LatencyGrid& grid, std::string_view title, double Latency::*figure);

/// Three digits, or a dash for what was not measured.
std::string cell_text(const std::optional<double>& value);
std::string cell_text(const std::optional<Latency>& value, double Latency::*figure);

}  // namespace bench
