#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/mapping.hpp"
#else
#include "strait/os/posix/mapping.hpp"
#endif
