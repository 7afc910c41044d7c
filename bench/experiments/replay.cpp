#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <vector>

#include "browsing.hpp"
#include "experiments/experiments.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/progress.hpp"
#include "harness/session.hpp"
#include "strait/message_size_histogram.hpp"

namespace bench {

int run_replay(const Options& options) {
  constexpr std::size_t warm_up_messages = 500;
  const Sizes hour = browsing_hour(options.quick ? 3'000 : SIZE_MAX);
  const std::size_t rounds = options.rounds_or(5, 2);

  strait::MessageSizeHistogram sent;
  for (std::size_t i = 0; i < hour.count; ++i) sent.record(hour[i]);
  const std::string expected = sent.to_string();

  const std::vector<const Case*> cases = chosen_cases(options, standard_cases);
  require_streams(cases, std::vector{hour.largest_bytes});
  CsvFile csv(options.csv_path);
  Session session(options.cores, cases, true);
  std::vector<std::vector<double>> rates(session.cases().size());
  // As seen by each case's receiver; the first deviating one, if there is any.
  std::vector<std::string> seen(session.cases().size(), expected);
  in_rounds(rounds, session.cases().size(), static_cast<double>(session.cases().size()),
            [&](Progress& progress) {
              for (std::size_t j = 0; j < session.cases().size(); ++j) {
                progress.announce(std::string(session.cases()[j]->name));
                session.stream(j, browsing_hour(warm_up_messages), true);
                const Session::StreamResult result = session.stream(j, hour, true);
                rates[j].push_back(result.messages_per_s);
                if (seen[j] == expected) seen[j] = result.histogram;
                progress.done(1);
              }
            });
  session.finish();

  print_heading("strait_bench replay: an hour of browsing, one way", options);
  bool all_equal = true;
  fmt::print("{:<20}{:>14}{:>14}  {}\n", "case", "messages/s", "us a message", "histogram");
  for (std::size_t j = 0; j < session.cases().size(); ++j) {
    const double rate = median(rates[j]);
    const bool equal = seen[j] == expected;
    all_equal = all_equal && equal;
    fmt::print("{:<20}{:>14.0f}{:>14}  {}\n", session.cases()[j]->name, rate,
               short_number(1e6 / rate), equal ? "as sent" : "NOT AS SENT");
    csv.write({.experiment = "replay",
               .case_name = session.cases()[j]->name,
               .rounds = rounds,
               .messages = rounds * hour.count,
               .messages_per_s = rate});
  }
  csv.finish();

  fmt::print("\nAs seen by {}:\n{}\n", all_equal ? "every receiver" : "the sender", expected);
  for (std::size_t j = 0; j < session.cases().size(); ++j) {
    if (seen[j] == expected) continue;
    fmt::print("\nAs seen by the receiver of {}:\n{}\n", session.cases()[j]->name, seen[j]);
  }
  return all_equal ? 0 : 1;
}

}  // namespace bench
