#include "experiments/rate_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "harness/figures.hpp"

namespace bench {

namespace {

constexpr double batch_s = 0.1;
constexpr double quick_batch_s = 0.01;
constexpr std::size_t most_messages = 2'000'000;

// Large messages are slow enough for a few of them to tell.
std::size_t first_try_messages(std::size_t bytes) {
  return std::clamp<std::size_t>((std::size_t{16} << 20) / bytes, 3, 200);
}

}  // namespace

RateGrid::RateGrid(std::vector<std::size_t> sizes, std::span<const Case* const> cases, bool quick)
    : sizes_(std::move(sizes)),
      cases_(cases.begin(), cases.end()),
      quick_(quick),
      cells_(sizes_.size() * cases_.size()) {}

void RateGrid::measure_round(Session& session, Progress& progress, double work_each) {
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    const std::size_t bytes = sizes_[i];
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      Cell& cell = cells_[i * cases_.size() + j];
      if (bytes > cases_[j]->largest_bytes) {
        progress.done(work_each);
        continue;
      }
      progress.announce(fmt::format("{}, {} B", cases_[j]->name, bytes));
      const auto stream = [&](std::size_t count) {
        const Sizes all_alike = {.count = count, .all_bytes = bytes, .largest_bytes = bytes};
        return session.stream(j, all_alike, false).messages_per_s;
      };
      const std::size_t first_try = first_try_messages(bytes);
      const double first_rate = stream(first_try);
      if (cell.messages == 0) {
        const double wanted = first_rate * (quick_ ? quick_batch_s : batch_s);
        cell.messages = std::clamp(static_cast<std::size_t>(wanted), first_try, most_messages);
      }
      cell.rates.push_back(stream(cell.messages));
      progress.done(work_each);
    }
  }
}

double RateGrid::rate(std::size_t size_index, std::size_t case_index) const {
  return median(cells_[size_index * cases_.size() + case_index].rates);
}

std::optional<double> RateGrid::ratio(std::size_t size_index, std::string_view name,
                                      std::string_view over) const {
  const auto find = [&](std::string_view wanted) -> const Cell* {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      if (cases_[j]->name == wanted) return &cells_[size_index * cases_.size() + j];
    }
    return nullptr;
  };
  const Cell* const upper = find(name);
  const Cell* const lower = find(over);
  if (upper == nullptr || lower == nullptr || upper->rates.empty() || lower->rates.empty()) {
    return {};
  }
  std::vector<double> ratios;
  for (std::size_t i = 0; i < upper->rates.size(); ++i) {
    ratios.push_back(upper->rates[i] / lower->rates[i]);
  }
  return median(std::move(ratios));
}

void RateGrid::write(CsvFile& csv, std::string_view experiment) const {
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      const Cell& cell = cells_[i * cases_.size() + j];
      if (cell.rates.empty()) continue;
      csv.write({.experiment = experiment,
                 .case_name = cases_[j]->name,
                 .bytes = sizes_[i],
                 .rounds = cell.rates.size(),
                 .messages = cell.rates.size() * cell.messages,
                 .messages_per_s = rate(i, j)});
    }
  }
}

void RateGrid::print() const {
  fmt::print("{:>8}", "bytes");
  std::vector<std::size_t> widths;
  for (const Case* one : cases_) {
    widths.push_back(std::max<std::size_t>(one->name.size(), 8) + 2);
    fmt::print("{:>{}}", one->name, widths.back());
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    fmt::print("{:>8}", sizes_[i]);
    for (std::size_t j = 0; j < cases_.size(); ++j) {
      const bool measured = !cells_[i * cases_.size() + j].rates.empty();
      fmt::print("{:>{}}", measured ? short_number(rate(i, j) / 1000) : "-", widths[j]);
    }
    fmt::print("\n");
  }
}

}  // namespace bench
