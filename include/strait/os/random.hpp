#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/random.hpp"
#else
#include "strait/os/posix/random.hpp"
#endif
