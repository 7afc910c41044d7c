#include "harness/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/clock.hpp"

namespace bench {

Progress::Progress(std::size_t steps, double work)
    : visible_(::isatty(STDERR_FILENO) == 1), steps_(steps), work_(work), start_ns_(now_ns()) {}

Progress::~Progress() { clear(); }

void Progress::announce(const std::string& what) {
  what_ = what;
  draw();
}

void Progress::done(double work) {
  ++steps_done_;
  work_done_ += work;
}

void Progress::draw() {
  if (!visible_) return;
  constexpr std::size_t width = 30;
  const double part = work_ > 0 ? std::min(work_done_ / work_, 1.0) : 0;
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(width));
  const double spent_s = static_cast<double>(now_ns() - start_ns_) / 1e9;
  std::string left = "?:??";
  if (part > 0.01) {
    const auto seconds = static_cast<unsigned>(spent_s * (1 - part) / part);
    left = fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  }
  fmt::print(stderr, "\r\x1b[K[{}{}] {:3.0f}%  {}/{} batches  {} left  {}",
             std::string(filled, '='), std::string(width - filled, ' '), 100 * part, steps_done_,
             steps_, left, what_);
  std::fflush(stderr);
}

void Progress::clear() {
  if (!visible_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace bench
