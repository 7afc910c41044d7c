#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/mach/linux/futex.hpp"

namespace strait::posix {

using linux_mach::futex_wait;
using linux_mach::futex_wake;

}  // namespace strait::posix
#endif
