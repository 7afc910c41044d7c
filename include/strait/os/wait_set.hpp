#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/epoll_wait_set.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/kqueue_wait_set.hpp"
#endif
