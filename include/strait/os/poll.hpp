#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/poll_wait.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/select_wait.hpp"
#endif
