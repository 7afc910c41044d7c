#pragma once

// Catch2 3 or 2 behind one name; no test includes either of them directly.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#define STRAIT_TEST_CATCH_MAJOR 3
#else
#include <catch2/catch.hpp>
#define STRAIT_TEST_CATCH_MAJOR 2
#endif

namespace strait_test {

/// Tells the main program that a test case gave up for want of something; ctest shows "Skipped".
void note_skipped_test();

}  // namespace strait_test

/// Leaves the test case: this machine lacks what it needs (Catch2 2 has no SKIP of its own).
#if STRAIT_TEST_CATCH_MAJOR >= 3
#define STRAIT_TEST_SKIP(reason) SKIP(reason)
#else
#define STRAIT_TEST_SKIP(reason)        \
  do {                                  \
    WARN("skipped: " << (reason));      \
    ::strait_test::note_skipped_test(); \
    return;                             \
  } while (false)
#endif
