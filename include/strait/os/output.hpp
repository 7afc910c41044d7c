#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/output.hpp"
#else
#include "strait/os/posix/output.hpp"
#endif
