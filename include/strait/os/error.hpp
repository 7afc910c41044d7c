#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/error.hpp"
#else
#include "strait/os/posix/error.hpp"
#endif
