#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace bench {

/// A picture by gnuplot, of one graph or several beside each other: curves over sizes in bytes, both
/// axes logarithmic. Throws when gnuplot can't be started, or fails.
class Gnuplot {
 public:
  /// An SVG file of so many graphs, whose values are this.
  Gnuplot(const std::string& path, int graphs, std::string_view value);
  Gnuplot(const Gnuplot&) = delete;
  Gnuplot& operator=(const Gnuplot&) = delete;
  ~Gnuplot();

  void begin_graph(std::string_view title);
  void begin_curve(std::string_view title);
  void point(std::size_t bytes, double value);
  /// Draws what has come, and the file is whole.
  void finish();

 private:
  void end_graph();
  void end_curve();

  std::FILE* out_;
  std::string title_;
  std::string plots_;
  int curves_ = 0;
  bool in_curve_ = false;
};

}  // namespace bench
