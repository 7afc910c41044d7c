#pragma once

#include "strait/base/lock.hpp"
#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/mutex.hpp"
#else
#include "strait/os/posix/mutex.hpp"
#endif
