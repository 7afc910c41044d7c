#pragma once

// Memory as a descriptor, of one size for ever.

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/linux_memory_file.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/darwin_memory_file.hpp"
#endif
