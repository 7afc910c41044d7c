#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/posix/linux_descriptors.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/posix/darwin_descriptors.hpp"
#endif
