#pragma once

#include <string>

namespace bench {

/// The cores of the two processes; the same one twice where there is no second.
struct Cores {
  int first = 0;
  int second = 0;

  bool shared() const noexcept { return first == second; }
};

/// "a,b", or the first two allowed cores if empty. Throws on anything else.
Cores parse_cores(const std::string& text);

/// One line about processor, kernel and cores, to stand above the figures.
std::string machine_line(const Cores& cores);

}  // namespace bench
