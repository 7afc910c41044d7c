#pragma once

#include <sys/uio.h>

namespace strait::os {

/// A piece of what one system call sends: `iov_base` and `iov_len`.
using GatheredPart = iovec;

}  // namespace strait::os
