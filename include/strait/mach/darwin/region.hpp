#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/mach/darwin/right.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/result.hpp"

namespace strait::darwin_mach {

/// Out-of-line memory of one message. The kernel copies it, page by page, when either side writes.
///
/// Neither side can change what the other sees. Whether a sender that maps a file into its memory
/// and cuts the file short afterwards can make a page of the copy unreadable (SIGBUS, as with any
/// mapped file) has not been tried on a Mac yet; `InlineOnly` has no such memory.
template <class Traps>
class Region {
 public:
  Region() = default;

  /// Zeros, to be written until `freeze`.
  ///
  /// Errors: `not_enough_memory`.
  static Result<Region> create(std::size_t size) {
    return filled_by(size, [](std::byte*) {});
  }

  /// Errors: `not_enough_memory`.
  static Result<Region> copy_of(std::span<const std::byte> bytes) {
    return filled_by(bytes.size(),
                     [&](std::byte* out) { std::memcpy(out, bytes.data(), bytes.size()); });
  }

  /// A region that `fill(std::byte*)` has filled.
  template <class Fill>
  static Result<Region> filled_by(std::size_t size, Fill&& fill) {
    std::uint64_t address = 0;
    // One descriptor tells sizes below 4 GiB.
    if (size == 0 || size > UINT32_MAX || Traps::allocate_memory(size, address) != success) {
      return strait::detail::no_memory();
    }
    Region region;
    region.memory_ = OwnedMemory<Traps>(address, size);
    region.size_ = size;
    fill(region.memory_.data());
    return region;
  }

  /// A region that came with a message.
  ///
  /// Errors: `bad_region` if it is shorter than `size`, or begins somewhere in a page, as a large
  /// one does if it did so at the sender: what is read where it lies has to be aligned.
  static Result<Region> adopt(OwnedMemory<Traps> memory, std::size_t size) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    if (memory.size() < size || address % strait::detail::payload_alignment != 0) {
      return Errc::bad_region;
    }
    Region region;
    region.memory_ = std::move(memory);
    region.size_ = size;
    return region;
  }

  /// The kernel copies what either side writes to from the moment at which it is sent, each time.
  Result<void> freeze() { return {}; }
  Result<Region> duplicate() const { return copy_of(bytes()); }
  void protect() {}
  Result<void> unprotect() { return {}; }

  std::byte* data() const { return memory_.data(); }
  std::span<const std::byte> bytes() const { return {memory_.data(), size_}; }
  MemoryDescriptor descriptor() const { return copy_of_memory(memory_.data(), size_); }

 private:
  OwnedMemory<Traps> memory_;
  std::size_t size_ = 0;
};

}  // namespace strait::darwin_mach
