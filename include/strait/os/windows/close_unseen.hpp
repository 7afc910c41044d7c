#pragma once

#include <cstddef>

#include "strait/base/slice.hpp"
#include "strait/os/windows/descriptor.hpp"

namespace strait::windows {

/// Closes handles that came from a peer and that nothing is known of. Unlike where a descriptor may
/// be a file of a slow file system, closing one does not wait here.
inline void close_unseen(HANDLE handle) {
  if (handle != nullptr) ::CloseHandle(handle);
}
inline void close_unseen(detail::Slice<HANDLE> handles) {
  for (const HANDLE handle : handles) close_unseen(handle);
}

/// Whether handles may be received: if they are of no use, there is room to have them closed.
inline bool can_close_unseen(std::size_t) { return true; }

/// Owns a handle that came from a peer, until more is known of it.
using UnseenDescriptor = Descriptor;

}  // namespace strait::windows
