#pragma once

#include <utility>

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/os/windows/api.hpp"
#else
#include <unistd.h>
#endif

namespace bench {

#if STRAIT_HAS_WINDOWS
using DescriptorNumber = HANDLE;
inline constexpr DescriptorNumber no_descriptor = nullptr;
inline void close_number(DescriptorNumber number) noexcept { ::CloseHandle(number); }
#else
using DescriptorNumber = int;
inline constexpr DescriptorNumber no_descriptor = -1;
inline void close_number(DescriptorNumber number) noexcept { ::close(number); }
#endif

/// Owns one file descriptor, on Windows a handle. The bare cases must not lean on the library they
/// are held against, so the harness has its own.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(DescriptorNumber number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, no_descriptor)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (*this) close_number(number_);
  }

  DescriptorNumber get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ != no_descriptor; }

 private:
  DescriptorNumber number_ = no_descriptor;
};

}  // namespace bench
