#pragma once

#include <cstddef>

namespace strait_test {

/// Test cases that were begun so far.
std::size_t started_test_cases();

/// Test cases, so far, that left something behind. Every test executable has the listener that
/// counts them, and its main program fails when there is one.
std::size_t leaking_test_cases();

}  // namespace strait_test
