#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"
#include "reference.hpp"

namespace bench {

namespace {

constexpr std::size_t timed_messages = 2000;
constexpr std::size_t large_bytes = 256 * 1024;

struct Batch {
  std::size_t warm_up;
  std::size_t timed;
};

Batch batch_for(std::size_t bytes, std::size_t rounds, bool quick) {
  const bool large = bytes >= large_bytes;
  if (quick) return large ? Batch{1, 2} : Batch{10, 40};
  return {large ? 5u : 100u, (timed_messages + rounds - 1) / rounds};
}

class Results {
 public:
  Results(std::vector<std::size_t> sizes, std::vector<const Case*> cases)
      : sizes_(std::move(sizes)),
        cases_(std::move(cases)),
        rounds_(sizes_.size() * cases_.size()) {}

  const std::vector<std::size_t>& sizes() const noexcept { return sizes_; }
  const std::vector<const Case*>& cases() const noexcept { return cases_; }

  void add(std::size_t size_index, std::size_t case_index, const Latency& round) {
    rounds_[size_index * cases_.size() + case_index].push_back(round);
  }
  Latency at(std::size_t size_index, std::size_t case_index) const {
    return median_of(rounds_[size_index * cases_.size() + case_index]);
  }
  std::optional<double> p98_us(std::size_t size_index, std::string_view name) const {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (cases_[i]->name == name) return at(size_index, i).p98_us;
    }
    return {};
  }

 private:
  std::vector<std::size_t> sizes_;
  std::vector<const Case*> cases_;
  std::vector<std::vector<Latency>> rounds_;
};

std::string cell(const std::optional<double>& value) { return value ? short_number(*value) : "-"; }

// As the reference has it: of the unrounded times, cut to a whole number.
std::string percent_better(const std::optional<double>& mach, const std::optional<double>& ool,
                           const std::optional<double>& fifo) {
  if (!mach || !ool || !fifo) return "-";
  return fmt::format("{:.0f}", std::floor(100 * *fifo / std::min(*mach, *ool)));
}

std::string published_cells(const std::array<PublishedRow, 15>& table, std::size_t bytes) {
  for (const PublishedRow& row : table) {
    if (row.bytes != bytes) continue;
    return fmt::format("{:>7}{:>9}{:>7}{:>9}", row.mach_us, row.mach_ool_us, row.fifo_us,
                       row.percent);
  }
  return fmt::format("{:>7}{:>9}{:>7}{:>9}", "-", "-", "-", "-");
}

void print_reference_table(const Results& results) {
  fmt::print(
      "One way, us, 98th percentile. % = FIFO / min(Mach, Mach OOL). Published: Mac OS X, "
      "2008, desktop and laptop, +/- 10 us.\n\n");
  fmt::print("{:>11} |{:^36}|{:^33}|{:^33}\n", "", "this machine", "published, first table",
             "published, second table");
  fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9} |{:>7}{:>9}{:>7}{:>9} |{:>7}{:>9}{:>7}{:>9}\n",
             "Packet size", "Mach", "Mach OOL", "FIFO", "%", "Mach", "Mach OOL", "FIFO", "%",
             "Mach", "Mach OOL", "FIFO", "%");
  for (std::size_t i = 0; i < results.sizes().size(); ++i) {
    const std::size_t bytes = results.sizes()[i];
    const auto mach = results.p98_us(i, "mach-inline");
    const auto ool = results.p98_us(i, "mach-cow");
    const auto fifo = results.p98_us(i, "fifo");
    fmt::print("{:>11} |{:>8}{:>10}{:>8}{:>9} |{} |{}\n", bytes, cell(mach), cell(ool), cell(fifo),
               percent_better(mach, ool, fifo), published_cells(published_first, bytes),
               published_cells(published_second, bytes));
  }
}

void print_case_table(const Results& results, std::string_view title, double Latency::*figure) {
  fmt::print("\n{}\n\n{:>11}", title, "Packet size");
  std::vector<std::size_t> widths;
  for (const Case* one : results.cases()) {
    widths.push_back(std::max<std::size_t>(one->name.size(), 7) + 2);
    fmt::print("{:>{}}", one->name, widths.back());
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < results.sizes().size(); ++i) {
    fmt::print("{:>11}", results.sizes()[i]);
    for (std::size_t j = 0; j < results.cases().size(); ++j) {
      fmt::print("{:>{}}", short_number(results.at(i, j).*figure), widths[j]);
    }
    fmt::print("\n");
  }
}

}  // namespace

int run_table(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) {
    for (const PublishedRow& row : published_first) sizes.push_back(row.bytes);
  }
  const std::size_t rounds = options.rounds_or(5, 2);
  CsvFile csv(options.csv_path);
  Session session(options.cores, chosen_cases(options), false);
  Results results(sizes, chosen_cases(options));

  // What a batch may take, roughly, for the progress bar's sake: a wake-up, and the copies.
  const auto work = [&](std::size_t bytes) {
    const Batch batch = batch_for(bytes, rounds, options.quick);
    return static_cast<double>(batch.warm_up + batch.timed) *
           (40'000.0 + static_cast<double>(bytes));
  };
  double all_work = 0;
  for (const std::size_t bytes : sizes) {
    all_work += work(bytes) * static_cast<double>(rounds * session.cases().size());
  }

  std::vector<std::uint64_t> samples;
  {
    Progress progress(rounds * sizes.size() * session.cases().size(), all_work);
    // Rounds outside, cases inside: a noisy moment hits all cases alike.
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const Batch batch = batch_for(sizes[i], rounds, options.quick);
        for (std::size_t j = 0; j < session.cases().size(); ++j) {
          progress.announce(fmt::format("{}, {} B", session.cases()[j]->name, sizes[i]));
          samples.assign(batch.timed, 0);
          session.ping(j, sizes[i], batch.warm_up, samples);
          results.add(i, j, latency_of(samples));
          progress.done(work(sizes[i]));
        }
      }
    }
  }
  session.finish();

  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t j = 0; j < results.cases().size(); ++j) {
      csv.write({.experiment = "table",
                 .case_name = results.cases()[j]->name,
                 .bytes = sizes[i],
                 .rounds = rounds,
                 .messages = rounds * batch_for(sizes[i], rounds, options.quick).timed,
                 .latency = results.at(i, j)});
    }
  }
  csv.finish();

  print_heading("strait_bench table", options);
  print_reference_table(results);
  print_case_table(results, "Every case, one way, us, 98th percentile", &Latency::p98_us);
  print_case_table(results, "Every case, one way, us, median", &Latency::p50_us);
  return 0;
}

}  // namespace bench
