#pragma once

#include <poll.h>

namespace strait::posix {

/// What to wait for: at most two descriptors with their events; the others are -1.
struct Interest {
  pollfd in{-1, 0, 0};
  pollfd out{-1, 0, 0};
};

}  // namespace strait::posix
