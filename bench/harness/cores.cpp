#include "harness/cores.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "harness/native.hpp"

namespace bench {

Cores parse_cores(const std::string& text) {
  if (text.empty()) {
    const std::vector<int> allowed = allowed_cores();
    return {allowed.front(), allowed.size() > 1 ? allowed[1] : allowed.front()};
  }
  const std::size_t comma = text.find(',');
  const auto number = [&](const std::string& part) {
    if (part.empty() || part.size() > 4 ||
        part.find_first_not_of("0123456789") != std::string::npos) {
      throw std::invalid_argument("--cores wants two numbers, like 0,1");
    }
    return std::atoi(part.c_str());
  };
  if (comma == std::string::npos)
    throw std::invalid_argument("--cores wants two numbers, like 0,1");
  return {number(text.substr(0, comma)), number(text.substr(comma + 1))};
}

std::string machine_line(const Cores& cores) {
  const std::string pinned =
      !can_pin()       ? "not pinned"
      : cores.shared() ? fmt::format("pinned to core {}, both processes", cores.first)
                       : fmt::format("pinned to cores {} and {}", cores.first, cores.second);
  return fmt::format("{}, {}, {}, {} cores allowed, {}", processor_name(),
                     frequency_governor(cores.first), system_name(), allowed_cores().size(),
                     pinned);
}

}  // namespace bench
