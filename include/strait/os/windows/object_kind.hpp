#pragma once

#include <cstddef>
#include <string_view>

#include "strait/os/windows/api.hpp"

namespace strait::windows {

/// Whether a handle stands for an object of this kind, such as "Section" or "Semaphore".
inline bool is_of_kind(HANDLE handle, std::wstring_view kind) {
  struct Text {
    USHORT bytes;
    USHORT capacity;
    const wchar_t* text;
  };
  using QueryObject = LONG(NTAPI*)(HANDLE, int, void*, ULONG, ULONG*);
  static const auto query = reinterpret_cast<QueryObject>(
      reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtQueryObject")));
  // A name of an object, unlike that of its type, may be one that the system waits for.
  constexpr int type_information = 2;
  alignas(Text) std::byte bytes[1024];
  ULONG size = 0;
  if (handle == nullptr || query == nullptr ||
      query(handle, type_information, bytes, sizeof bytes, &size) < 0) {
    return false;
  }
  const auto& name = *reinterpret_cast<const Text*>(bytes);
  return std::wstring_view(name.text, name.bytes / sizeof(wchar_t)) == kind;
}

}  // namespace strait::windows
