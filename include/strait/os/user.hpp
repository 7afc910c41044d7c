#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/user.hpp"
#else
#include "strait/os/posix/user.hpp"
#endif
