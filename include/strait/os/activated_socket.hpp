#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/activated_socket.hpp"
#else
#include "strait/os/posix/activated_socket.hpp"
#endif
