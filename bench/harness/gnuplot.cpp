#include "harness/gnuplot.hpp"

#include <fmt/format.h>
#include <stdio.h>

#include <stdexcept>
#include <utility>

namespace bench {

Gnuplot::Gnuplot(const std::string& path, int graphs, std::string_view value)
    : out_(::popen("gnuplot", "w")) {
  if (out_ == nullptr) throw std::runtime_error("gnuplot can't be started");
  fmt::print(out_,
             "set terminal svg size {},500 dynamic background rgb 'white' font 'sans-serif,13'\n"
             "set output '{}'\n"
             "set multiplot layout 1,{}\n"
             "set logscale x 4\nset logscale y\nset format x '%b%B'\nset grid\n"
             "set key left top\nset xlabel 'message, bytes'\n"
             "set ylabel '{}'\n",
             graphs == 1 ? 800 : 550 * graphs, path, graphs, value);
}

Gnuplot::~Gnuplot() {
  if (out_ != nullptr) ::pclose(out_);
}

void Gnuplot::begin_graph(std::string_view title) {
  end_graph();
  title_ = title;
}

void Gnuplot::begin_curve(std::string_view title) {
  end_curve();
  in_curve_ = true;
  fmt::print(out_, "$curve{} << END\n", curves_);
  plots_ += fmt::format("{}$curve{} with linespoints pointtype 7 pointsize 0.4 title '{}'",
                        plots_.empty() ? "" : ", ", curves_++, title);
}

void Gnuplot::point(std::size_t bytes, double value) { fmt::print(out_, "{} {}\n", bytes, value); }

void Gnuplot::finish() {
  end_graph();
  fmt::print(out_, "unset multiplot\n");
  if (::pclose(std::exchange(out_, nullptr)) != 0) throw std::runtime_error("gnuplot failed");
}

void Gnuplot::end_graph() {
  end_curve();
  if (plots_.empty()) return;
  fmt::print(out_, "set title '{}'\nplot {}\n", title_, plots_);
  plots_.clear();
}

void Gnuplot::end_curve() {
  if (std::exchange(in_curve_, false)) fmt::print(out_, "END\n");
}

}  // namespace bench
