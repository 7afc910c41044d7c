#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/transports/windows/pipe.hpp"
#else
#include "strait/transports/posix/pipe.hpp"
#endif
