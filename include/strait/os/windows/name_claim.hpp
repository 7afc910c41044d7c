#pragma once

#include <string>
#include <utility>

#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Holds a name as long as it lives, or its process. The system would let any program of this user
/// serve a pipe's name beside another one that does, so what says that a name is taken is a mutex.
class NameClaim {
 public:
  NameClaim() = default;

  /// Whether anybody holds a name.
  static bool is_held(const std::wstring& object_name) {
    return static_cast<bool>(
        Descriptor(::OpenMutexW(SYNCHRONIZE, FALSE, (L"Global\\" + object_name).c_str())));
  }

  /// Errors: `name_taken`; `permission_denied` if another user has it; the system's.
  static Result<NameClaim> create(const std::wstring& object_name, const Protection& protection) {
    const std::wstring name = L"Global\\" + object_name;
    NameClaim claim;
    claim.mutex_ = Descriptor(protection.use([&](SECURITY_ATTRIBUTES* attributes) {
      return ::CreateMutexW(attributes, FALSE, name.c_str());
    }));
    const DWORD failed = ::GetLastError();
    if (claim.mutex_ && failed == ERROR_ALREADY_EXISTS) return Errc::name_taken;
    if (claim.mutex_) return claim;
    if (failed == ERROR_ACCESS_DENIED) return Errc::permission_denied;
    return system_error(failed);
  }

 private:
  Descriptor mutex_;
};

}  // namespace strait::windows
