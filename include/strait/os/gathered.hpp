#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/gathered.hpp"
#else
#include "strait/os/posix/gathered.hpp"
#endif
