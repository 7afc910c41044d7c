#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/process.hpp"
#else
#include "strait/os/posix/process.hpp"
#endif
