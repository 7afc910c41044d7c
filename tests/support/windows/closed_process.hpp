#pragma once

#include <strait/os/windows/security.hpp>

#include <cstdlib>

namespace strait_test {

/// As long as it lives no process may open this one so that handles could be taken out of it or put
/// into it, not even this one: so it is with a process that has more rights than the other one.
class ClosedProcess {
 public:
  ClosedProcess() {
    if (::GetSecurityInfo(::GetCurrentProcess(), SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION,
                          nullptr, nullptr, &before_, nullptr, &descriptor_) != ERROR_SUCCESS) {
      std::abort();
    }
    alignas(void*) std::byte everyone[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof everyone;
    if (!::CreateWellKnownSid(WinWorldSid, nullptr, everyone, &size)) std::abort();
    EXPLICIT_ACCESSW entry{};
    entry.grfAccessPermissions = PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
    entry.grfAccessMode = GRANT_ACCESS;
    entry.Trustee.TrusteeForm = TRUSTEE_IS_SID;
    entry.Trustee.ptstrName = reinterpret_cast<wchar_t*>(everyone);
    PACL list = nullptr;
    if (::SetEntriesInAclW(1, &entry, nullptr, &list) != ERROR_SUCCESS) std::abort();
    const strait::windows::LocalMemory owned(list);
    set(list);
    const strait::windows::Descriptor opened(
        ::OpenProcess(PROCESS_DUP_HANDLE, FALSE, ::GetCurrentProcessId()));
    if (opened) std::abort();
  }
  ~ClosedProcess() {
    set(before_);
    ::LocalFree(descriptor_);
  }
  ClosedProcess(const ClosedProcess&) = delete;
  ClosedProcess& operator=(const ClosedProcess&) = delete;

 private:
  static void set(PACL list) {
    if (::SetSecurityInfo(::GetCurrentProcess(), SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION,
                          nullptr, nullptr, list, nullptr) != ERROR_SUCCESS) {
      std::abort();
    }
  }

  PACL before_ = nullptr;
  PSECURITY_DESCRIPTOR descriptor_ = nullptr;
};

}  // namespace strait_test
