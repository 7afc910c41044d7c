#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/descriptors.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/descriptors.hpp"
#endif
