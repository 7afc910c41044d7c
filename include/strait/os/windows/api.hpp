#pragma once

// The system's own header, without what is beyond its kernel. Macros that it defines, and those
// that a program has from including it by itself, do the library no harm.

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

namespace strait::windows {}

/// Where the rest of the library looks for what the system gives, whichever it is.
namespace strait::os {
using namespace windows;
}  // namespace strait::os
