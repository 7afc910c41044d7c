#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/process_end.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/process_end.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/os/windows/process_end.hpp"
#endif
