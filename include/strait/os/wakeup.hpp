#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/linux_wakeup.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/darwin_wakeup.hpp"
#endif
