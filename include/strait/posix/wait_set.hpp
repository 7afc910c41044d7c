#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/epoll_wait_set.hpp"
#endif
