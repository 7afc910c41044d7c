#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/rights/windows/semaphore.hpp"
#else
#include "strait/rights/posix/semaphore.hpp"
#endif
