#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/tcp_bytes.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/tcp_bytes.hpp"
#endif
