#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/secret_file.hpp"
#else
#include "strait/os/posix/secret_file.hpp"
#endif
