#pragma once

#include <string_view>

namespace bench {

/// A receiver of `fan-out`, in a process of its own, until its sender is gone.
int receive_fan_out(std::string_view way, int core);

}  // namespace bench
