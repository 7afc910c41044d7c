#pragma once

#include <utility>

#include "strait/os/windows/error.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Owns a handle. What a call gives for none, null or `INVALID_HANDLE_VALUE`, is null here: the
/// latter is also the number that stands for this process.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(HANDLE handle) noexcept : handle_(normal(handle)) {}
  Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.handle_, nullptr));
    return *this;
  }
  ~Descriptor() { reset(); }

  HANDLE get() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  HANDLE release() noexcept { return std::exchange(handle_, nullptr); }
  void reset(HANDLE handle = nullptr) noexcept {
    if (handle_ != nullptr) ::CloseHandle(handle_);
    handle_ = normal(handle);
  }

 private:
  static HANDLE normal(HANDLE handle) noexcept {
    return handle == INVALID_HANDLE_VALUE ? nullptr : handle;
  }

  HANDLE handle_ = nullptr;
};

/// Another handle for the same object, with `access` or, if that is 0, the same rights. Null, and
/// `GetLastError` says why, if there is none.
inline Descriptor duplicate(HANDLE handle, DWORD access = 0) noexcept {
  HANDLE made = nullptr;
  const HANDLE self = ::GetCurrentProcess();
  if (!::DuplicateHandle(self, handle, self, &made, access, FALSE,
                         access == 0 ? DUPLICATE_SAME_ACCESS : 0)) {
    return {};
  }
  return Descriptor(made);
}

/// An event that is set until it is reset.
inline Result<Descriptor> make_event() {
  Descriptor event(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!event) return last_error();
  return event;
}

}  // namespace strait::windows
