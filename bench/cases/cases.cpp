#include "cases/cases.hpp"

#include <array>
#include <stdexcept>
#include <string>

namespace bench {

std::span<const Case> all_cases() {
  static const std::array cases = {
      fifo_case(),        unix_stream_case(),       pipe_case(),
      mach_inline_case(), mach_inline_block_case(), mach_inline_spin_case(),
      mach_cow_case(),    mach_cow_block_case(),    mach_cow_spin_case(),
      ring_case(),
  };
  return cases;
}

const Case& case_named(std::string_view name) {
  for (const Case& one : all_cases()) {
    if (one.name == name) return one;
  }
  throw std::invalid_argument("no case is called " + std::string(name));
}

}  // namespace bench
