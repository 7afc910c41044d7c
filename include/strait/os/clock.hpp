#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/clock.hpp"
#else
#include "strait/os/posix/clock.hpp"
#endif
