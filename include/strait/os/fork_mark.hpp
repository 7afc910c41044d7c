#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/fork_mark.hpp"
#else
#include "strait/os/posix/fork_mark.hpp"
#endif
