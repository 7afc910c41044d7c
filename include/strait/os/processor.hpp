#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/processor.hpp"
#else
#include "strait/os/posix/processor.hpp"
#endif
