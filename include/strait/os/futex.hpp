#pragma once

// To sleep on a word of memory that processes share.

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/futex.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/futex.hpp"
#endif
