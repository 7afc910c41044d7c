#pragma once

#include "harness/case.hpp"

namespace bench {

// One translation unit a family of cases.
Case fifo_case();
Case unix_stream_case();
Case ring_case();
Case pipe_case();
Case mach_inline_case();
Case mach_inline_block_case();
Case mach_inline_spin_case();
Case mach_cow_case();
Case mach_cow_block_case();
Case mach_cow_spin_case();

}  // namespace bench
