#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "strait/os/windows/error.hpp"
#include "strait/result.hpp"

namespace strait::windows {

inline std::size_t page_size() {
  static const std::size_t size = [] {
    SYSTEM_INFO info;
    ::GetSystemInfo(&info);
    return static_cast<std::size_t>(info.dwPageSize);
  }();
  return size;
}

/// Owns a range of memory: a view of a section, or memory of this process alone.
class Mapping {
 public:
  /// What may be done with a section's view, which other processes see.
  enum class Access : DWORD {
    shared = FILE_MAP_READ | FILE_MAP_WRITE,
    shared_read_only = FILE_MAP_READ,
    copied_read_only = FILE_MAP_COPY,
  };
  static constexpr Access copied_read_only = Access::copied_read_only;
  static constexpr Access shared = Access::shared;
  static constexpr Access shared_read_only = Access::shared_read_only;

  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        is_view_(other.is_view_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      is_view_ = other.is_view_;
    }
    return *this;
  }
  ~Mapping() { reset(); }

  /// Memory of this process alone; `size` 0 gives an empty mapping.
  static Result<Mapping> anonymous(std::size_t size) {
    if (size == 0) return Mapping();
    void* data = ::VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (data == nullptr) return last_error();
    return Mapping(data, size, false);
  }

  /// The first `size` bytes of a section.
  static Result<Mapping> map(std::size_t size, Access access, HANDLE section) {
    if (size == 0) return Mapping();
    void* data = ::MapViewOfFile(section, static_cast<DWORD>(access), 0, 0, size);
    if (data == nullptr) return last_error();
    return Mapping(data, size, true);
  }

  /// A section that a peer made. Errors: `bad_region` if it does not allow it; the system's.
  static Result<Mapping> map_received(std::size_t size, Access access, HANDLE section) {
    auto mapping = map(size, access, section);
    const bool denied = !mapping && mapping.error() == system_error(ERROR_ACCESS_DENIED);
    return denied ? Errc::bad_region : std::move(mapping);
  }

  /// Pages come when they are touched.
  void populate(std::size_t = 0) noexcept {}
  static void bring_in(std::byte*, std::size_t) noexcept {}

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  void reset() noexcept {
    if (data_ != nullptr) {
      is_view_ ? ::UnmapViewOfFile(data_) : ::VirtualFree(data_, 0, MEM_RELEASE);
    }
    data_ = nullptr;
    size_ = 0;
  }

 private:
  Mapping(void* data, std::size_t size, bool is_view)
      : data_(static_cast<std::byte*>(data)), size_(size), is_view_(is_view) {}

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool is_view_ = false;
};

}  // namespace strait::windows
