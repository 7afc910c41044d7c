#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

/// A progress bar on standard error, if that is a terminal; nothing at all otherwise. It draws only
/// between batches, so it can't disturb what is timed.
class Progress {
 public:
  /// `steps` is the number of batches, `work` the sum of what they are expected to take, in any
  /// unit.
  Progress(std::size_t steps, double work);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void announce(const std::string& what);
  void done(double work);

 private:
  void draw();
  void clear();

  bool visible_;
  std::size_t steps_;
  std::size_t steps_done_ = 0;
  double work_;
  double work_done_ = 0;
  std::uint64_t start_ns_;
  std::string what_;
};

/// Calls `round(progress)` that many times; each has so many batches, and so much work to do.
template <class Round>
void in_rounds(std::size_t rounds, std::size_t batches, double work, Round round) {
  Progress progress(rounds * batches, static_cast<double>(rounds) * work);
  for (std::size_t i = 0; i < rounds; ++i) round(progress);
}

}  // namespace bench
