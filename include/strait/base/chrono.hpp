#pragma once

// Durations and the clock. With libstdc++ only these: since C++20 its <chrono> brings string
// streams along, which is a fifth of the time that a transport takes to compile.
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
