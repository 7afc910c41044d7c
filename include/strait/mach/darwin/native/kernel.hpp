#pragma once

#include "strait/mach/darwin/kernel.hpp"
#include "strait/mach/darwin/native/traps.hpp"

namespace strait {

/// Mach's ports as macOS has them: names are `launchd`'s, rights are the kernel's.
struct DarwinKernel : BasicDarwinKernel<darwin_mach::Traps> {};

}  // namespace strait
