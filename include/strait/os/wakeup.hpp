#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/wakeup.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/wakeup.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/os/windows/wakeup.hpp"
#endif
