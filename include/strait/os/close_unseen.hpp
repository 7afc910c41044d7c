#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/close_unseen.hpp"
#else
#include "strait/os/posix/close_unseen.hpp"
#endif
