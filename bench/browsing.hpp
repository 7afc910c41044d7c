#pragma once

#include <cstddef>

#include "harness/endpoint.hpp"

namespace bench {

/// The first `count` messages of the reference's hour of browsing, in an order that is the same in
/// every run and both processes.
Sizes browsing_hour(std::size_t count = SIZE_MAX);

}  // namespace bench
