#pragma once

#include <unistd.h>

#include <cstdint>

namespace strait::posix {

inline std::uint32_t effective_user() { return ::geteuid(); }

}  // namespace strait::posix
