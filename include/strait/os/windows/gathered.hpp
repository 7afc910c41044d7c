#pragma once

#include <cstddef>

namespace strait::windows {

/// A piece of what is sent at once.
struct GatheredPart {
  void* iov_base;
  std::size_t iov_len;
};

}  // namespace strait::windows

namespace strait::os {
using windows::GatheredPart;
}
