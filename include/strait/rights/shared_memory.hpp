#pragma once

#include <cstddef>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/os/descriptor.hpp"
#include "strait/os/mapping.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait {

/// Shared memory, mapped and seen as a `T` or several. Another process that has it may write at any
/// moment: read a word once, then check it, and leave nothing there that a peer may not change.
template <class T>
class Mapped {
 public:
  Mapped() = default;

  T* get() const noexcept { return reinterpret_cast<T*>(mapping_.data()); }
  T& operator*() const noexcept { return *get(); }
  T* operator->() const noexcept { return get(); }
  /// As many of them as the memory has room for.
  std::span<T> span() const noexcept { return {get(), mapping_.size() / sizeof(T)}; }

 private:
  friend class SharedMemory;
  explicit Mapped(os::Mapping mapping) : mapping_(std::move(mapping)) {}

  os::Mapping mapping_;
};

/// Memory that several processes can map: of one size for ever, zero at first. A right: send it
/// with `Rights`.
///
/// Ownership: the memory lives as long as any process has it, or has it mapped.
class SharedMemory {
 public:
  /// Errors: `std::errc::invalid_argument` for no bytes at all; those of the system.
  static Result<SharedMemory> create(std::size_t size_bytes) {
    if (size_bytes == 0) return std::make_error_code(std::errc::invalid_argument);
    auto file = os::create_memory_file("strait-shared", size_bytes);
    if (!file) return file.error();
    if (auto sealed = os::add_seals(file->get(), os::seals_of_size); !sealed) {
      return sealed.error();
    }
    return SharedMemory(std::move(*file), os::memory_file_bytes(size_bytes));
  }

  /// As many as it was made with; on macOS and Windows rounded up to whole
  /// pages.
  std::size_t size_bytes() const noexcept { return size_bytes_; }

  /// Maps the memory; to read only with `map<const T>()`. May be called several times.
  ///
  /// Errors: `bad_region` if there is no room for one `T`; those of `mmap`. Ownership: the
  /// mapping's own; it may outlive this object.
  template <class T = std::byte>
  Result<Mapped<T>> map() const {
    static_assert(std::is_standard_layout_v<T> && std::is_trivially_destructible_v<T> &&
                      !std::is_pointer_v<T>,
                  "strait: what lies in shared memory has standard layout, no destructor and no "
                  "pointers.");
    if (size_bytes_ < sizeof(T)) return Errc::bad_region;
    constexpr auto access =
        std::is_const_v<T> ? os::Mapping::shared_read_only : os::Mapping::shared;
    auto mapping = os::Mapping::map(size_bytes_, access, file_.get());
    if (!mapping) return mapping.error();
    return Mapped<T>(std::move(*mapping));
  }

  /// The same memory once more: one to send, one to keep.
  Result<SharedMemory> duplicate() const {
    auto copy = os::duplicate(file_.get());
    if (!copy) return os::last_error();
    return SharedMemory(std::move(copy), size_bytes_);
  }

  /// For `Rights`. Errors: `wrong_right` after it was moved from.
  Result<detail::Right> into_right() {
    if (!file_) return Errc::wrong_right;
    size_bytes_ = 0;
    return detail::Right{std::move(file_)};
  }
  /// For `Rights`. Errors: `bad_region` unless it is memory that can't change its size any more.
  static Result<SharedMemory> from_right(detail::Right& right) {
    const auto size = os::sealed_size(right.descriptor.get(), os::seals_of_size);
    if (!size) return size.error();
    return SharedMemory(std::move(right.descriptor), *size);
  }

 private:
  SharedMemory(os::Descriptor file, std::size_t size_bytes)
      : file_(std::move(file)), size_bytes_(size_bytes) {}

  os::Descriptor file_;
  std::size_t size_bytes_;
};

}  // namespace strait
