#pragma once

#include "strait/os/native_handle.hpp"

namespace strait {

/// A handle, and what it is to be ready for. With neither, its end alone counts.
struct Interest {
  NativeHandle handle = no_handle;
  bool read = false;
  bool write = false;

  static constexpr Interest to_read(NativeHandle handle) { return {handle, true, false}; }
  static constexpr Interest to_write(NativeHandle handle) { return {handle, false, true}; }

  explicit constexpr operator bool() const { return handle != no_handle; }
  friend bool operator==(const Interest&, const Interest&) = default;
};

/// What to wait for: whichever is ready first. The two may be about one handle.
struct Interests {
  Interest in{};
  Interest out{};
};

/// What `arm` says: what to wait for, and whether there is no need to.
struct Armed : Interests {
  bool ready = false;
};

/// What a handle is ready for now.
struct Readiness {
  bool read = false;
  bool write = false;
  /// The other side is gone.
  bool ended = false;

  explicit constexpr operator bool() const { return read || write || ended; }
};

}  // namespace strait
