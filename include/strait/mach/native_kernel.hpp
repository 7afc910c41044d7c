#pragma once

// The kernel under `MachTransport` on this system, whole.

#include "strait/config.hpp"

#if STRAIT_HAS_LINUX
#include "strait/mach/linux/kernel.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/mach/darwin/native/kernel.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/mach/windows/kernel.hpp"
#endif
