#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/mapping.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A section: memory of one size for ever, zero at first. It has no seals, so a peer may always
/// write to what it has mapped; only its size is as sure as elsewhere.
///
/// Errors: the system's.
inline Result<Descriptor> create_memory_file(const char*, std::size_t size) {
  const auto bytes = static_cast<std::uint64_t>(size);
  Descriptor section(
      ::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_COMMIT,
                           static_cast<DWORD>(bytes >> 32), static_cast<DWORD>(bytes), nullptr));
  if (!section) return last_error();
  return section;
}

enum class Seals { size, content, writers };
inline constexpr Seals seals_of_size = Seals::size;
/// Which no section has.
inline constexpr Seals seals_of_content = Seals::content;
/// Nor this: a handle goes to a peer with all that it may do here.
inline constexpr Seals seals_of_writers = Seals::writers;
inline constexpr bool has_seals_of_writers = false;
inline Result<void> add_seals(HANDLE, Seals) { return {}; }

/// The size that `sealed_size` gives for memory of so many bytes.
inline std::size_t memory_file_bytes(std::size_t size) {
  return (size + page_size() - 1) / page_size() * page_size();
}

/// The size of a section that a peer made. One that only reserves its pages, or is a file's, is
/// none: to touch it could be an access violation.
///
/// Errors: `bad_region`.
inline Result<std::size_t> sealed_size(HANDLE section, Seals seals) {
  if (seals != Seals::size) return Errc::bad_region;
  struct Information {
    void* base;
    ULONG attributes;
    LARGE_INTEGER size;
  };
  using QuerySection = LONG(NTAPI*)(HANDLE, int, void*, SIZE_T, SIZE_T*);
  static const auto query = reinterpret_cast<QuerySection>(reinterpret_cast<void*>(
      ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtQuerySection")));
  Information information{};
  if (section == nullptr || query == nullptr ||
      query(section, 0, &information, sizeof information, nullptr) < 0 ||
      information.attributes != SEC_COMMIT || information.size.QuadPart <= 0) {
    return Errc::bad_region;
  }
  return static_cast<std::size_t>(information.size.QuadPart);
}

/// Bytes can't be passed on so that they stay as they are. Errors: `unsupported`.
inline Result<Descriptor> memory_file_of(std::span<const std::byte>) { return Errc::unsupported; }

}  // namespace strait::windows
