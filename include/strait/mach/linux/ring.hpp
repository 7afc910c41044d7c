#pragma once

#include "strait/mach/ring.hpp"

namespace strait::linux_mach {

namespace detail {
using namespace mach_ring::detail;
}  // namespace detail

using mach_ring::Doorbell;
using mach_ring::max_record_bytes;
using mach_ring::RingControl;
using mach_ring::RingReader;
using mach_ring::RingWriter;

}  // namespace strait::linux_mach
