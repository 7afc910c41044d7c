#pragma once

// To sleep on a word of memory that processes share.

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/linux_futex.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/darwin_futex.hpp"
#endif
