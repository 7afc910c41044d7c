#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "strait/base/min_max.hpp"

namespace strait {

/// An observer that collects the sizes of received messages and prints them as Chromium's
/// IPC.MessageSize histogram was printed: same buckets, bars, counts and percentages.
///
/// Cost: no heap, no loop, no division for a message recorded. Give a channel this observer, and
/// read it through `Channel::observer()`; to count what is sent, derive from it and add `on_send`.
class MessageSizeHistogram {
 public:
  /// The smallest size of each bucket; the last one has no upper end. They grow by 1.317 each: 48
  /// steps from 1 to 1,000,000 rounded one after the other, and on by the same ratio past 256 MiB.
  static constexpr std::array<std::uint64_t, 71> bucket_lows = {
      0,        1,        2,        3,         4,         5,         7,         9,        12,
      16,       21,       28,       37,        49,        65,        86,        113,      149,
      196,      258,      340,      448,       590,       777,       1023,      1347,     1774,
      2336,     3077,     4053,     5338,      7031,      9260,      12196,     16063,    21156,
      27864,    36699,    48336,    63662,     83848,     110434,    145450,    191569,   252312,
      332315,   437686,   576468,   759255,    1000000,   1317081,   1734702,   2284742,  3009189,
      3963344,  5220043,  6875217,  9055215,   11926448,  15708093,  20688824,  27248848, 35888928,
      47268609, 62256566, 81996913, 107996540, 142240143, 187341727, 246744147, 324981919};
  static constexpr std::size_t bucket_total = bucket_lows.size();

  constexpr MessageSizeHistogram() noexcept = default;
  /// `name` must outlive the histogram; a string literal does.
  explicit constexpr MessageSizeHistogram(std::string_view name) noexcept : name_(name) {}

  void on_receive(std::size_t bytes) noexcept { record(bytes); }

  void record(std::size_t bytes) noexcept {
    ++counts_[bucket_of(bytes)];
    ++count_;
    sum_bytes_ += bytes;
    sum_squares_ += static_cast<double>(bytes) * static_cast<double>(bytes);
  }

  std::uint64_t count() const noexcept { return count_; }
  double average() const noexcept {
    return count_ == 0 ? 0 : static_cast<double>(sum_bytes_) / static_cast<double>(count_);
  }
  double standard_deviation() const noexcept {
    if (count_ == 0) return 0;
    const double variance = sum_squares_ / static_cast<double>(count_) - average() * average();
    return variance > 0 ? std::sqrt(variance) : 0;
  }

  /// How many messages fell into each bucket of `bucket_lows`.
  std::span<const std::uint64_t, bucket_total> buckets() const noexcept { return counts_; }

  /// The index in `bucket_lows` of the bucket that a message of this size falls into.
  static constexpr std::size_t bucket_of(std::uint64_t bytes) noexcept {
    if (bytes >= bucket_lows.back()) return bucket_total - 1;
    std::size_t index = first_bucket_of_width[static_cast<std::size_t>(std::bit_width(bytes))];
    // An octave holds at most three bucket boundaries, and additions are cheaper than branches that
    // can't be foreseen.
    for (std::size_t step = 1; step <= 3; ++step) index += bytes >= bucket_lows[index + 1] ? 1 : 0;
    return index;
  }

  /// The whole figure, lines parted by '\n', none after the last.
  ///
  /// A bar is as long as the bucket is *dense*: a bucket narrower than five sizes is scaled up to
  /// five, which is how the figure came to be drawn.
  std::string to_string() const {
    std::string text = "Histogram: ";
    text += name_;
    append(text, " recorded %llu samples", static_cast<unsigned long long>(count_));
    if (count_ != 0) {
      append(text, ", average = %.1f, standard deviation = %.1f", average(), standard_deviation());
    }

    const int width = label_width();
    double peak = 0;
    for (std::size_t i = 0; i < bucket_total; ++i) {
      if (density(i) > peak) peak = density(i);
    }
    std::uint64_t past = 0;
    for (std::size_t i = 0; i < bucket_total; ++i) {
      append(text, "\n%*llu ", width, static_cast<unsigned long long>(bucket_lows[i]));
      if (is_empty(i) && (i + 1 == bucket_total || is_empty(i + 1))) {
        while (i + 1 < bucket_total && is_empty(i + 1)) ++i;
        text += i + 1 < bucket_total ? "... " : "...";
        continue;
      }
      const auto dashes = static_cast<std::size_t>(bar_width * (density(i) / peak) + 0.5);
      text.append(dashes, '-');
      text += 'O';
      text.append(static_cast<std::size_t>(bar_width) - dashes, ' ');
      append(text, " (%llu = %.1f%%)", static_cast<unsigned long long>(counts_[i]),
             percent(counts_[i]));
      if (i > 0) append(text, " {%.1f%%}", percent(past));
      past += counts_[i];
    }
    return text;
  }

 private:
  static constexpr double bar_width = 72;

  // For each width in bits, the bucket of the smallest number that has it.
  static constexpr std::array<std::uint8_t, 65> first_bucket_of_width = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t bits = 1; bits < first.size(); ++bits) {
      const std::uint64_t smallest = std::uint64_t{1} << (bits - 1);
      first[bits] = first[bits - 1];
      while (first[bits] + 1u < bucket_total && bucket_lows[first[bits] + 1u] <= smallest) {
        ++first[bits];
      }
    }
    return first;
  }();

  bool is_empty(std::size_t index) const noexcept { return counts_[index] == 0; }

  double density(std::size_t index) const noexcept {
    const std::uint64_t sizes =
        index + 1 < bucket_total ? bucket_lows[index + 1] - bucket_lows[index] : 5;
    return static_cast<double>(counts_[index]) / static_cast<double>(sizes < 5 ? sizes : 5);
  }

  double percent(std::uint64_t part) const noexcept {
    return 100.0 * static_cast<double>(part) / static_cast<double>(count_);
  }

  // One column more than the largest number needs, and never narrower than the figure.
  int label_width() const noexcept {
    int width = 6;
    for (std::size_t i = 0; i < bucket_total; ++i) {
      if (counts_[i] == 0) continue;
      int digits = 1;
      for (std::uint64_t rest = bucket_lows[i]; rest >= 10; rest /= 10) ++digits;
      if (digits >= width) width = digits + 1;
    }
    return width;
  }

  template <class... Args>
  static void append(std::string& text, const char* format, Args... args) {
    char piece[96];
    const int length = std::snprintf(piece, sizeof piece, format, args...);
    if (length > 0)
      text.append(piece, (detail::min)(static_cast<std::size_t>(length), sizeof piece - 1));
  }

  std::string_view name_ = "IPC.MessageSize";
  std::array<std::uint64_t, bucket_total> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_bytes_ = 0;
  double sum_squares_ = 0;
};

}  // namespace strait
