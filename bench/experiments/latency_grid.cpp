#include "experiments/latency_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace bench {

LatencyGrid::LatencyGrid(std::vector<std::size_t> sizes, std::span<const Case* const> cases,
                         BatchFor batch_for, const Wanted& wanted, Work work)
    : sizes_(std::move(sizes)),
      cases_(cases.begin(), cases.end()),
      batch_for_(std::move(batch_for)),
      work_(work),
      cells_(sizes_.size() * cases_.size()) {
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      cell(i, j).wanted =
          sizes_[i] <= cases_[j]->largest_bytes && (!wanted || wanted(*cases_[j], sizes_[i]));
    }
  }
}

std::size_t LatencyGrid::batches_in_a_round() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(cells_.begin(), cells_.end(), [](const Cell& one) { return one.wanted; }));
}

double LatencyGrid::work_in_a_round() const {
  double work = 0;
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      if (cell(i, j).wanted) work += batch_for_(sizes_[i]).work(sizes_[i]);
    }
  }
  return work;
}

void LatencyGrid::measure_batches(Session& session, Progress& progress, std::size_t size_index) {
  const std::size_t bytes = sizes_[size_index];
  const Batch batch = batch_for_(bytes);
  std::vector<std::uint64_t> samples;
  for (std::size_t j = 0; j < cases_.size(); ++j) {
    if (!cell(size_index, j).wanted) continue;
    progress.announce(fmt::format("{}, {} B", cases_[j]->name, bytes));
    samples.assign(batch.timed, 0);
    session.ping(j, bytes, batch.warm_up, samples, work_);
    Cell& measured = cell(size_index, j);
    measured.rounds.push_back(latency_of(std::span(samples)));
    measured.round_trip_ns.insert(measured.round_trip_ns.end(), samples.begin(), samples.end());
    progress.done(batch.work(bytes));
  }
}

void LatencyGrid::measure_round(Session& session, Progress& progress) {
  for (std::size_t i = 0; i < sizes_.size(); ++i) measure_batches(session, progress, i);
}

void LatencyGrid::measure_size(Session& session, std::size_t size_index, std::size_t rounds) {
  const std::size_t bytes = sizes_[size_index];
  const auto batches = static_cast<double>(cases_.size());
  in_rounds(rounds, cases_.size(), batches * batch_for_(bytes).work(bytes),
            [&](Progress& progress) { measure_batches(session, progress, size_index); });
}

void LatencyGrid::measure(Session& session, std::size_t rounds) {
  in_rounds(rounds, batches_in_a_round(), work_in_a_round(),
            [&](Progress& progress) { measure_round(session, progress); });
}

std::optional<Latency> LatencyGrid::at(std::size_t size_index, std::size_t case_index) const {
  const Cell& one = cell(size_index, case_index);
  if (one.rounds.empty()) return {};
  return median_of(one.rounds);
}

const LatencyGrid::Cell* LatencyGrid::find(std::size_t bytes, std::string_view name) const {
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      if (sizes_[i] == bytes && cases_[j]->name == name) return &cell(i, j);
    }
  }
  return nullptr;
}

std::optional<Latency> LatencyGrid::at(std::size_t bytes, std::string_view name) const {
  const Cell* const one = find(bytes, name);
  if (one == nullptr || one->rounds.empty()) return {};
  return median_of(one->rounds);
}

std::optional<double> LatencyGrid::ratio(std::size_t bytes, std::string_view name,
                                         std::string_view over, double Latency::*figure) const {
  const Cell* const upper = find(bytes, name);
  const Cell* const lower = find(bytes, over);
  if (upper == nullptr || lower == nullptr || upper->rounds.empty() || lower->rounds.empty()) {
    return {};
  }
  std::vector<double> ratios;
  for (std::size_t i = 0; i < upper->rounds.size(); ++i) {
    ratios.push_back(upper->rounds[i].*figure / lower->rounds[i].*figure);
  }
  return median(std::move(ratios));
}

void LatencyGrid::write(CsvFile& csv, std::string_view experiment) {
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      const std::size_t rounds = cell(i, j).rounds.size();
      if (rounds == 0) continue;
      csv.write({.experiment = experiment,
                 .case_name = cases_[j]->name,
                 .bytes = sizes_[i],
                 .rounds = rounds,
                 .messages = rounds * batch_for_(sizes_[i]).timed,
                 .latency = at(i, j),
                 .tail = tail_of(cell(i, j).round_trip_ns)});
    }
  }
}

std::string cell_text(const std::optional<double>& value) {
  return value ? short_number(*value) : "-";
}

std::string cell_text(const std::optional<Latency>& value, double Latency::*figure) {
  return value ? short_number((*value).*figure) : "-";
}

void print_case_table(const LatencyGrid& grid, std::string_view title, double Latency::*figure) {
  fmt::print("\n{}\n\n{:>11}", title, "Packet size");
  std::vector<std::size_t> widths;
  for (const Case* one : grid.cases()) {
    widths.push_back(std::max<std::size_t>(one->name.size(), 7) + 2);
    fmt::print("{:>{}}", one->name, widths.back());
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < grid.sizes().size(); ++i) {
    fmt::print("{:>11}", grid.sizes()[i]);
    for (std::size_t j = 0; j < grid.cases().size(); ++j) {
      fmt::print("{:>{}}", cell_text(grid.at(i, j), figure), widths[j]);
    }
    fmt::print("\n");
  }
}

}  // namespace bench
