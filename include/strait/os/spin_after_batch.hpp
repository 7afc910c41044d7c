#pragma once

#include "strait/os/processor.hpp"

namespace strait::detail {

/// Behind a batch of messages there is more to come. Every look at what is empty yet takes it away
/// from the sender for a while: waiting a moment lets the sender get ahead, and both go faster. A
/// lone message is not waited behind.
inline void spin_after_batch(int batch) {
  if (batch < 2 || os::single_processor()) return;
  for (int i = 0; i != 2 * batch && i != 256; ++i) os::pause_processor();
}

}  // namespace strait::detail
