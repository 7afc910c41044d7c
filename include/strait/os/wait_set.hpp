#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/epoll_wait_set.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/kqueue_wait_set.hpp"
#endif
