#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/latency_grid.hpp"
#include "experiments/rate_grid.hpp"
#include "harness/allocations.hpp"
#include "harness/csv.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"

namespace bench {

namespace {

constexpr std::array<std::string_view, 13> order_cases = {"order-raw",
                                                          "order-struct",
                                                          "order-owned",
                                                          "order-fixed-trivial",
                                                          "order-fixed-struct",
                                                          "order-protobuf",
                                                          "order-flatbuffers",
                                                          "order-capnproto",
                                                          "order-msgpack",
                                                          "order-cereal",
                                                          "order-json",
                                                          "order-protobuf-zmq",
                                                          "frame-flatbuffers-loan"};

/// In lent memory the size is no matter, so one that is large is measured, beside bare loans.
constexpr std::size_t lent_bytes = std::size_t{1} << 20;
constexpr std::array<std::string_view, 2> lent_cases = {"frame-flatbuffers-loan", "mach-loan"};

bool is_lent(const Case& one) {
  return std::find(lent_cases.begin(), lent_cases.end(), one.name) != lent_cases.end();
}

Batch order_batch(std::size_t bytes, bool quick) {
  const std::size_t timed = bytes < 4096 ? 2000 : 200;
  return {quick ? 5 : timed / 4, quick ? 20 : timed};
}

struct SerializerBar {
  std::string_view name;
  std::string_view over;
  std::size_t bytes;
};

void print_ratios(const LatencyGrid& latencies, const RateGrid& rates,
                  const std::vector<std::size_t>& sizes) {
  constexpr SerializerBar bars[] = {
      {"order-struct", "order-raw", 200},
      {"order-fixed-struct", "order-fixed-trivial", 200},
      {"order-protobuf-zmq", "order-protobuf", 200},
      {"order-protobuf-zmq", "order-protobuf", 65'536},
      {"frame-flatbuffers-loan", "mach-loan", lent_bytes},
  };
  fmt::print("\nRatios, each the median over the rounds\n\n{:<48}{:>9}{:>16}{:>16}\n", "", "bytes",
             "latency, median", "stream");
  for (const SerializerBar& bar : bars) {
    const auto latency = latencies.ratio(bar.bytes, bar.name, bar.over, &Latency::p50_us);
    if (!latency) continue;
    const auto place = std::find(sizes.begin(), sizes.end(), bar.bytes);
    const auto rate =
        place == sizes.end()
            ? std::optional<double>()
            : rates.ratio(static_cast<std::size_t>(place - sizes.begin()), bar.name, bar.over);
    fmt::print("{:<48}{:>9}{:>16}{:>16}\n", fmt::format("{} over {}", bar.name, bar.over),
               bar.bytes, cell_text(latency), cell_text(rate));
  }
}

void print_allocations(const Options& options, const std::vector<const Case*>& cases,
                       const std::vector<std::size_t>& sizes) {
  if (!allocations_can_be_counted()) return;
  Session session(options.cores, cases, false);
  session.count_allocations();
  std::vector<std::uint64_t> samples(options.quick ? 50 : 500);
  fmt::print("\nFrom the heap for each message, by sender and receiver together\n\n{:<24}", "case");
  for (const std::size_t bytes : sizes) fmt::print("{:>12}", bytes);
  fmt::print("\n");
  for (std::size_t j = 0; j < cases.size(); ++j) {
    fmt::print("{:<24}", cases[j]->name);
    for (const std::size_t bytes : sizes) {
      if (bytes > cases[j]->largest_bytes) {
        fmt::print("{:>12}", "-");
        continue;
      }
      // The first one is the warm-up.
      session.ping(j, bytes, 0, samples);
      session.ping(j, bytes, 0, samples);
      const auto messages = static_cast<double>(2 * samples.size());
      fmt::print("{:>12.3g}", static_cast<double>(session.allocations()) / messages);
    }
    fmt::print("\n");
  }
  session.finish();
}

}  // namespace

int run_serializers(const Options& options) {
  if (find_case("order-protobuf") == nullptr) {
    throw std::runtime_error(
        "the serializers' libraries were not found when this was built: use `bench/run "
        "serializers`");
  }
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) sizes = {200, 65'536};
  std::vector<std::size_t> latency_sizes = sizes;
  if (options.sizes.empty()) latency_sizes.push_back(lent_bytes);
  const std::size_t rounds = options.rounds_or(7, 2);
  std::vector<std::string_view> names(order_cases.begin(), order_cases.end());
  names.push_back("mach-loan");
  const std::vector<const Case*> cases = chosen_cases(options, names);
  std::vector<const Case*> streamed;
  for (const Case* one : cases) {
    if (!is_lent(*one)) streamed.push_back(one);
  }

  CsvFile csv(options.csv_path);
  RateGrid rates(sizes, streamed, options.quick);
  LatencyGrid latencies(
      latency_sizes, cases, [&](std::size_t bytes) { return order_batch(bytes, options.quick); },
      [&](const Case& one, std::size_t bytes) {
        const bool fits = bytes <= one.largest_bytes;
        return fits && (is_lent(one) ? bytes >= 65'536 : bytes < lent_bytes);
      });
  {
    Session session(options.cores, cases, false);
    latencies.measure(session, rounds);
    session.finish();
  }
  {
    Session session(options.cores, streamed, false);
    const auto batches = rates.batches_in_a_round();
    in_rounds(rounds, batches, static_cast<double>(batches),
              [&](Progress& progress) { rates.measure_round(session, progress); });
    session.finish();
  }
  latencies.write(csv, "serializers-latency");
  rates.write(csv, "serializers-stream");
  csv.finish();

  print_heading("strait_bench serializers: an order with two strings, a list, an optional part",
                options);
  print_case_table(latencies, "One way, us, median", &Latency::p50_us);
  fmt::print("\nOne way, thousand orders a second\n\n");
  rates.print();
  print_ratios(latencies, rates, sizes);
  print_allocations(options, streamed, sizes);
  return 0;
}

}  // namespace bench
