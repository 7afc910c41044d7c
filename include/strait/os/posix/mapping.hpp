#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

inline std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

/// Owns a range of mapped memory.
class Mapping {
 public:
  /// What of a file is mapped, and what happens to what is written there.
  struct Access {
    int protection;
    int flags;
  };
  static constexpr Access shared{PROT_READ | PROT_WRITE, MAP_SHARED};
  static constexpr Access shared_read_only{PROT_READ, MAP_SHARED};
  static constexpr Access copied_read_only{PROT_READ, MAP_PRIVATE};

  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~Mapping() { reset(); }

  /// Maps `size` bytes anywhere; `size` 0 gives an empty mapping.
  static Result<Mapping> map(std::size_t size, int protection, int flags, int fd,
                             std::size_t offset = 0) {
    Mapping mapping;
    if (size == 0) return mapping;
    void* data = ::mmap(nullptr, size, protection, flags, fd, static_cast<off_t>(offset));
    if (data == MAP_FAILED) return last_error();
    mapping.data_ = static_cast<std::byte*>(data);
    mapping.size_ = size;
    return mapping;
  }

  static Result<Mapping> map(std::size_t size, Access access, int fd) {
    return map(size, access.protection, access.flags, fd);
  }
  /// Memory of this process alone.
  static Result<Mapping> anonymous(std::size_t size) {
    return map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1);
  }

  /// Maps a file that a peer made.
  ///
  /// Errors: `bad_region` if the file does not allow it: it is open to read only, or sealed against
  /// writing; the others of `mmap`.
  static Result<Mapping> map_received(std::size_t size, int protection, int flags, int fd) {
    auto mapping = map(size, protection, flags, fd);
    return mapping || !is_denied(mapping.error()) ? std::move(mapping) : Errc::bad_region;
  }
  static Result<Mapping> map_received(std::size_t size, Access access, int fd) {
    return map_received(size, access.protection, access.flags, fd);
  }
  static bool is_denied(const std::error_code& error) {
    return error == system_error(EACCES) || error == system_error(EPERM);
  }

  /// Maps something else at the same place.
  ///
  /// Errors: those of `mmap`, and it is as it was.
  Result<void> replace(int protection, int flags, int fd) {
    if (data_ == nullptr) return {};
    if (::mmap(data_, size_, protection, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
      return last_error();
    }
    return {};
  }

  /// Has the system bring in, ready to be written, the pages of the first `size` bytes, if it can:
  /// cheaper than a fault for each. In large pages where shared memory has them.
  void populate([[maybe_unused]] std::size_t size = SIZE_MAX) noexcept {
    if (data_ == nullptr) return;
#if defined(MADV_HUGEPAGE)
    constexpr std::size_t huge = std::size_t{2} << 20;
    if (size_ >= huge) ::madvise(data_, size_, MADV_HUGEPAGE);
#endif
#if defined(MADV_POPULATE_WRITE)
    ::madvise(data_, size < size_ ? size : size_, MADV_POPULATE_WRITE);
#endif
  }

  /// The same for a part of a mapping, whatever page it begins in, in pages of the usual size.
  static void bring_in([[maybe_unused]] std::byte* at, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MADV_POPULATE_WRITE)
    const std::size_t before = reinterpret_cast<std::uintptr_t>(at) % page_size();
    ::madvise(at - before, before + size, MADV_POPULATE_WRITE);
#endif
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  void reset() noexcept {
    if (data_ != nullptr) ::munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace strait::os
