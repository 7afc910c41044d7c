#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/owner_process.hpp"
#else
#include "strait/os/posix/owner_process.hpp"
#endif
