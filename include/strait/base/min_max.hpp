#pragma once

#include <cstddef>

namespace strait::detail {

// <algorithm> alone would cost a fifth of the time that all of the library takes to compile. In
// parentheses, since <windows.h> may have made macros of the names.

constexpr std::size_t(min)(std::size_t a, std::size_t b) { return a < b ? a : b; }
constexpr std::size_t(max)(std::size_t a, std::size_t b) { return a < b ? b : a; }

}  // namespace strait::detail
