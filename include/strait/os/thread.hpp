#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/thread.hpp"
#else
#include "strait/os/posix/thread.hpp"
#endif
