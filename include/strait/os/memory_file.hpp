#pragma once

// Memory as a descriptor or a handle, of one size for ever.

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/memory_file.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/memory_file.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/os/windows/memory_file.hpp"
#endif
