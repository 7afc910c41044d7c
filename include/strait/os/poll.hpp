#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/poll_wait.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/select_wait.hpp"
#endif
