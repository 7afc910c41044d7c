#pragma once

#include <bit>
#include <cstddef>
#include <new>
#include <string>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/mach/ring.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/memory_file.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/result.hpp"

namespace strait::windows_mach {

/// The memory of one ring: a section with control words and the ring, which is mapped twice in a
/// row. Views begin at multiples of 64 KiB, so that is how much either has at the least.
class RingMemory {
 public:
  static constexpr std::size_t granularity = std::size_t{64} << 10;
  static constexpr std::size_t max_capacity = std::size_t{64} << 20;

  RingMemory() = default;
  RingMemory(RingMemory&& other) noexcept
      : section_(std::move(other.section_)),
        data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  RingMemory& operator=(RingMemory&& other) noexcept {
    std::swap(section_, other.section_);
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~RingMemory() {
    if (data_ == nullptr) return;
    ::UnmapViewOfFile(data_ + granularity + capacity_);
    ::UnmapViewOfFile(data_);
  }

  static std::size_t capacity_for(std::size_t bytes) {
    return (strait::detail::max)(bytes, granularity);
  }

  /// A fresh ring, which others find by its name as long as this lives. `capacity` is a power of
  /// two. Errors: the system's.
  static Result<RingMemory> create(const std::wstring& name, std::size_t capacity,
                                   const os::Protection& protection) {
    os::Descriptor section(protection.use([&](SECURITY_ATTRIBUTES* attributes) {
      return ::CreateFileMappingW(INVALID_HANDLE_VALUE, attributes, PAGE_READWRITE | SEC_COMMIT, 0,
                                  static_cast<DWORD>(granularity + capacity), name.c_str());
    }));
    const DWORD failed = ::GetLastError();
    if (!section || failed == ERROR_ALREADY_EXISTS) return os::system_error(failed);
    auto memory = map(section.get(), capacity);
    if (!memory) return memory;
    ::new (memory->data_) mach_ring::RingControl{};
    memory->section_ = std::move(section);
    return memory;
  }

  /// The ring that a peer made.
  ///
  /// Errors: `bad_region` if it is none of this capacity; the system's.
  static Result<RingMemory> open(const std::wstring& name, std::size_t capacity) {
    const os::Descriptor section(
        ::OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE | SECTION_QUERY, FALSE, name.c_str()));
    if (!section) return Errc::bad_region;
    const auto size = os::sealed_size(section.get(), os::seals_of_size);
    if (!size) return size.error();
    if (*size != granularity + capacity) return Errc::bad_region;
    return map(section.get(), capacity);
  }

  std::size_t capacity() const { return capacity_; }
  mach_ring::RingWriter writer() const { return {control(), ring(), capacity_, 0}; }
  mach_ring::RingReader reader() const { return {control(), ring(), capacity_, 0}; }

 private:
  /// Looks for a place where both views fit, which another thread may take in between.
  static Result<RingMemory> map(HANDLE section, std::size_t capacity) {
    constexpr DWORD access = FILE_MAP_READ | FILE_MAP_WRITE;
    std::error_code why;
    for (int attempts = 0; attempts != 64; ++attempts) {
      void* const place =
          ::VirtualAlloc(nullptr, granularity + 2 * capacity, MEM_RESERVE, PAGE_NOACCESS);
      if (place == nullptr) return os::last_error();
      ::VirtualFree(place, 0, MEM_RELEASE);
      void* const first = ::MapViewOfFileEx(section, access, 0, 0, granularity + capacity, place);
      why = os::last_error();
      if (first == nullptr) continue;
      RingMemory memory;
      auto* const data = static_cast<std::byte*>(first);
      if (::MapViewOfFileEx(section, access, 0, static_cast<DWORD>(granularity), capacity,
                            data + granularity + capacity) != nullptr) {
        memory.data_ = data;
        memory.capacity_ = capacity;
        return memory;
      }
      why = os::last_error();
      ::UnmapViewOfFile(first);
    }
    return why;
  }

  mach_ring::RingControl* control() const {
    return std::launder(reinterpret_cast<mach_ring::RingControl*>(data_));
  }
  std::byte* ring() const { return data_ + granularity; }

  /// Of the side that has made it, for its name.
  os::Descriptor section_;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace strait::windows_mach
