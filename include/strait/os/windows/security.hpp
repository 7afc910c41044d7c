#pragma once

#include "strait/os/windows/api.hpp"
//
#include <aclapi.h>

#include <array>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include "strait/os/windows/error.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Owns what the system gives to be freed with `LocalFree`.
class LocalMemory {
 public:
  LocalMemory() = default;
  explicit LocalMemory(void* memory) noexcept : memory_(memory) {}
  LocalMemory(LocalMemory&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  LocalMemory& operator=(LocalMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~LocalMemory() {
    if (memory_ != nullptr) ::LocalFree(memory_);
  }
  void* get() const noexcept { return memory_; }

 private:
  void* memory_ = nullptr;
};

/// The owner of an object that is made, and the users that may open it: this user, and with
/// `any_user` everyone, but only with `others_access`. The owner is named, or it would be the
/// administrators where one of them runs with all rights.
class Protection {
 public:
  /// Errors: the system's.
  static Result<Protection> create(PeerPolicy peers = PeerPolicy::same_user,
                                   DWORD others_access = 0) {
    alignas(void*) std::byte everyone[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof everyone;
    if (!::CreateWellKnownSid(WinWorldSid, nullptr, everyone, &size)) return last_error();
    Protection made;
    made.user_ = effective_user();
    if (!made.user_) return std::make_error_code(std::errc::operation_not_permitted);
    std::array<EXPLICIT_ACCESSW, 2> entries{entry(made.sid(), GENERIC_ALL),
                                            entry(everyone, others_access)};
    const ULONG count = peers == PeerPolicy::any_user ? 2 : 1;
    PACL list = nullptr;
    if (const DWORD failed = ::SetEntriesInAclW(count, entries.data(), nullptr, &list)) {
      return system_error(failed);
    }
    made.list_ = LocalMemory(list);
    return made;
  }

  /// Calls `make(SECURITY_ATTRIBUTES*)`, which makes an object, and returns what that returns.
  template <class Make>
  auto use(Make&& make) const {
    SECURITY_DESCRIPTOR descriptor;
    ::InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    ::SetSecurityDescriptorOwner(&descriptor, sid(), FALSE);
    ::SetSecurityDescriptorDacl(&descriptor, TRUE, static_cast<PACL>(list_.get()), FALSE);
    ::SetSecurityDescriptorControl(&descriptor, SE_DACL_PROTECTED, SE_DACL_PROTECTED);
    SECURITY_ATTRIBUTES attributes{sizeof attributes, &descriptor, FALSE};
    return make(&attributes);
  }

 private:
  Protection() = default;

  PSID sid() const { return const_cast<std::byte*>(user_.bytes().data()); }
  static EXPLICIT_ACCESSW entry(void* sid, DWORD access) {
    EXPLICIT_ACCESSW entry{};
    entry.grfAccessPermissions = access;
    entry.grfAccessMode = GRANT_ACCESS;
    entry.grfInheritance = NO_INHERITANCE;
    entry.Trustee.TrusteeForm = TRUSTEE_IS_SID;
    entry.Trustee.ptstrName = static_cast<wchar_t*>(sid);
    return entry;
  }

  UserId user_;
  LocalMemory list_;
};

/// The owner of an object of the kernel: its maker, or the user that its maker has named.
///
/// Errors: the system's.
inline Result<UserId> owner_of(HANDLE object) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD failed = ::GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION,
                                         &owner, nullptr, nullptr, nullptr, &descriptor);
  if (failed != ERROR_SUCCESS) return system_error(failed);
  const LocalMemory owned(descriptor);
  return user_of_sid(owner);
}

}  // namespace strait::windows
