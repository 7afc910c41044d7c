#pragma once

// What a child gets over its standard input: sent by its parent, taken by itself.

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/standard_input.hpp"
#else
#include "strait/os/posix/socket.hpp"
#include "strait/os/posix/standard_input.hpp"
#include "strait/os/posix/unix_socket.hpp"
#endif
