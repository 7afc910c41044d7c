#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <cstddef>

#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Asks for this process's limit on the size of files, beyond which the kernel would do more than
/// fail: it would raise SIGXFSZ.
///
/// Errors: `EFBIG`.
inline Result<void> check_file_size(std::size_t size) {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return last_error();
  return size > limit.rlim_cur ? system_error(EFBIG) : Result<void>();
}

}  // namespace strait::os
