#pragma once

// An owner of what the system waits for and passes on: see native_handle.hpp.

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/descriptor.hpp"
#else
#include "strait/os/posix/descriptor.hpp"
#endif
