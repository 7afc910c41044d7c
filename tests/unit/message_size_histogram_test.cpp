#include "strait/message_size_histogram.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using strait::MessageSizeHistogram;

namespace {

// The last figure of Chromium's "Mach based IPC Design", with plain blanks for its no-break ones.
// clang-format off
constexpr const char* published_figure =
    "Histogram: IPC.MessageSize recorded 37573 samples, average = 86.4, standard deviation = 329.5\n"
    "     0 ... \n"
    "    12 ---------------------O                                                    (4387 = 11.7%) {0.0%}\n"
    "    16 ----O                                                                     (990 = 2.6%) {11.7%}\n"
    "    21 -----------------------------------O                                      (9307 = 24.8%) {14.3%}\n"
    "    28 O                                                                         (10 = 0.0%) {39.1%}\n"
    "    37 O                                                                         (8 = 0.0%) {39.1%}\n"
    "    49 ------------------------------------------------------------------------O (19123 = 50.9%) {39.1%}\n"
    "    65 --O                                                                       (614 = 1.6%) {90.0%}\n"
    "    86 O                                                                         (38 = 0.1%) {91.7%}\n"
    "   113 O                                                                         (113 = 0.3%) {91.8%}\n"
    "   149 O                                                                         (34 = 0.1%) {92.1%}\n"
    "   196 O                                                                         (110 = 0.3%) {92.2%}\n"
    "   258 --O                                                                       (663 = 1.8%) {92.4%}\n"
    "   340 ---O                                                                      (783 = 2.1%) {94.2%}\n"
    "   448 --O                                                                       (653 = 1.7%) {96.3%}\n"
    "   590 --O                                                                       (443 = 1.2%) {98.0%}\n"
    "   777 -O                                                                        (198 = 0.5%) {99.2%}\n"
    "  1023 O                                                                         (72 = 0.2%) {99.7%}\n"
    "  1347 O                                                                         (6 = 0.0%) {99.9%}\n"
    "  1774 O                                                                         (5 = 0.0%) {99.9%}\n"
    "  2336 O                                                                         (1 = 0.0%) {100.0%}\n"
    "  3077 ... \n"
    " 12196 O                                                                         (15 = 0.0%) {100.0%}\n"
    " 16063 ...";
// clang-format on

struct Row {
  std::uint64_t low;
  std::uint64_t next_low;
  std::uint64_t count;
};

constexpr Row published_rows[] = {
    {12, 16, 4387},    {16, 21, 990},    {21, 28, 9307},  {28, 37, 10},    {37, 49, 8},
    {49, 65, 19123},   {65, 86, 614},    {86, 113, 38},   {113, 149, 113}, {149, 196, 34},
    {196, 258, 110},   {258, 340, 663},  {340, 448, 783}, {448, 590, 653}, {590, 777, 443},
    {777, 1023, 198},  {1023, 1347, 72}, {1347, 1774, 6}, {1774, 2336, 5}, {2336, 3077, 1},
    {12196, 16063, 15}};

// The figure does not tell the sizes, only their buckets, mean and deviation. Messages spread
// evenly over the top of each bucket, in per mille of its width left free below, give both.
std::uint64_t nth_size(const Row& row, std::uint64_t n) {
  const std::uint64_t free_below = row.low == 12196 ? 398 : 279;
  const std::uint64_t width = row.next_low - row.low;
  return row.low + width * (free_below * 2 * row.count + (1000 - free_below) * (2 * n + 1)) /
                       (2000 * row.count);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("the reference's hour of browsing prints as the reference's figure, line by line",
          "[histogram]") {
  MessageSizeHistogram histogram;
  for (const Row& row : published_rows) {
    for (std::uint64_t n = 0; n < row.count; ++n) {
      histogram.on_receive(static_cast<std::size_t>(nth_size(row, n)));
    }
  }
  const auto printed = lines_of(histogram.to_string());
  const auto published = lines_of(published_figure);
  REQUIRE(printed.size() == published.size());
  for (std::size_t i = 0; i < published.size(); ++i) CHECK(printed[i] == published[i]);
  CHECK(histogram.to_string() == published_figure);
}

TEST_CASE("the buckets are Chromium's 50 exponential ones up to 1,000,000, and go on past 256 MiB",
          "[histogram]") {
  // How Chromium makes them: the way left to the largest is divided anew after each rounding.
  const auto& lows = MessageSizeHistogram::bucket_lows;
  std::uint64_t current = 1;
  REQUIRE(lows[0] == 0);
  REQUIRE(lows[1] == current);
  double step = 0;
  for (std::size_t i = 2; i < lows.size(); ++i) {
    const double log_current = std::log(static_cast<double>(current));
    if (i < 50) step = (std::log(1e6) - log_current) / static_cast<double>(50 - i);
    const auto next = static_cast<std::uint64_t>(std::floor(std::exp(log_current + step) + 0.5));
    current = next > current ? next : current + 1;
    CHECK(lows[i] == current);
  }
  CHECK(lows[49] == 1'000'000);
  CHECK(lows.back() > std::uint64_t{256} << 20);
}

TEST_CASE("a size falls into the bucket whose low is the last one not above it", "[histogram]") {
  const auto& lows = MessageSizeHistogram::bucket_lows;
  for (std::size_t i = 0; i < lows.size(); ++i) {
    CHECK(MessageSizeHistogram::bucket_of(lows[i]) == i);
    if (i > 0) CHECK(MessageSizeHistogram::bucket_of(lows[i] - 1) == i - 1);
    if (i + 1 < lows.size()) CHECK(MessageSizeHistogram::bucket_of(lows[i + 1] - 1) == i);
  }
  CHECK(MessageSizeHistogram::bucket_of(UINT64_MAX) == lows.size() - 1);
  for (std::uint64_t size = 0; size < 70'000; ++size) {
    const std::size_t bucket = MessageSizeHistogram::bucket_of(size);
    if (lows[bucket] > size || size >= lows[bucket + 1]) FAIL("size " << size);
  }
}

TEST_CASE("a histogram of nothing prints a headline and one run of empty buckets", "[histogram]") {
  CHECK(MessageSizeHistogram("Nothing").to_string() ==
        "Histogram: Nothing recorded 0 samples\n     0 ...");
  CHECK(MessageSizeHistogram().average() == 0);
  CHECK(MessageSizeHistogram().standard_deviation() == 0);
}

TEST_CASE("single empty buckets are drawn and runs of them are not", "[histogram]") {
  MessageSizeHistogram histogram;
  histogram.record(0);
  histogram.record(2);
  const auto lines = lines_of(histogram.to_string());
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] ==
        "Histogram: IPC.MessageSize recorded 2 samples, average = 1.0, standard deviation = 1.0");
  CHECK(lines[1] == "     0 " + std::string(72, '-') + "O (1 = 50.0%)");
  CHECK(lines[2] == "     1 O" + std::string(72, ' ') + " (0 = 0.0%) {50.0%}");
  CHECK(lines[3] == "     2 " + std::string(72, '-') + "O (1 = 50.0%) {50.0%}");
  CHECK(lines[4] == "     3 ...");
}

TEST_CASE("the largest messages have buckets, and their labels a column to spare", "[histogram]") {
  MessageSizeHistogram histogram;
  histogram.record(std::size_t{256} << 20);
  const auto lines = lines_of(histogram.to_string());
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == "         0 ... ");
  CHECK(lines[2] == " 246744147 " + std::string(72, '-') + "O (1 = 100.0%) {0.0%}");
  CHECK(lines[3] == " 324981919 ...");
  CHECK(histogram.average() == 268435456.0);
  CHECK(histogram.standard_deviation() == 0);
  CHECK(histogram.buckets()[69] == 1);
}
