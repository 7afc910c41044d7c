#pragma once

#include "strait/config.hpp"
#include "support/catch.hpp"

// Windows has no such limit for a process.
#if STRAIT_HAS_WINDOWS
#define STRAIT_TEST_LIMITS_DESCRIPTORS 0
#else
#define STRAIT_TEST_LIMITS_DESCRIPTORS 1

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace strait_test {

/// While this lives, this process gets no descriptor, or only a few more. The sanitizer of
/// undefined behaviour needs some itself and sees ghosts without: such a test is [no-asan].
class NoMoreDescriptors {
 public:
  explicit NoMoreDescriptors(int but = 0) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    // The next free number is the first one that is not allowed.
    const int next = ::dup(STDERR_FILENO);
    REQUIRE(next >= 0);
    REQUIRE(::close(next) == 0);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next + but);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

 private:
  rlimit before_;
};

/// As many descriptors as this process may have at the most; false if there are fewer than wanted.
inline bool raise_descriptor_limit(rlim_t wanted) {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= wanted;
}

}  // namespace strait_test

#endif
