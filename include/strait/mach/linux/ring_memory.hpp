#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "strait/mach/linux/ring.hpp"
#include "strait/os/linux/shared_memory_file.hpp"
#include "strait/os/posix/mapping.hpp"

namespace strait::linux_mach {

/// The memory of one ring: a page of control words, then the ring, mapped twice in a row.
class RingMemory {
 public:
  static constexpr std::size_t max_capacity = std::size_t{64} << 20;

  RingMemory() = default;

  /// A fresh ring and the file to hand to the other side. `capacity` is a power of two and a
  /// multiple of the page size.
  static Result<RingMemory> create(std::size_t capacity, os::Descriptor& file) {
    auto created = create_memory_file("strait-ring", os::page_size() + capacity);
    if (!created) return created.error();
    if (auto sealed = add_seals(created->get(), seals_of_size); !sealed) return sealed.error();
    auto memory = map(created->get(), capacity);
    if (!memory) return memory;
    ::new (memory->mapping_.data()) RingControl{};
    file = std::move(*created);
    return memory;
  }

  /// The ring in a file that a peer made.
  ///
  /// Errors: `bad_region` if the file is not sealed or its size is not that of a ring.
  static Result<RingMemory> adopt(const os::Descriptor& file) {
    const auto size = sealed_size(file.get(), seals_of_size);
    if (!size) return size.error();
    const std::size_t capacity = *size - os::page_size();
    if (*size <= os::page_size() || capacity > max_capacity || !std::has_single_bit(capacity) ||
        capacity < os::page_size()) {
      return Errc::bad_region;
    }
    return map(file.get(), capacity);
  }

  std::size_t capacity() const { return capacity_; }
  RingWriter writer(std::uint64_t position = 0) const {
    RingWriter writer(control(), ring(), capacity_, position);
    writer.populate_in_steps();
    return writer;
  }
  RingReader reader(std::uint64_t position = 0) const {
    return {control(), ring(), capacity_, position};
  }

 private:
  static Result<RingMemory> map(int fd, std::size_t capacity) {
    const std::size_t page = os::page_size();
    // Room for all of it first, so that the second view lies just behind the first.
    auto mapping = os::Mapping::map(page + 2 * capacity, PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    if (!mapping) return mapping.error();
    constexpr int flags = MAP_SHARED | MAP_FIXED;
    const auto place = [&](std::byte* at, std::size_t size, std::size_t offset) {
      return ::mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, static_cast<off_t>(offset)) !=
             MAP_FAILED;
    };
    if (!place(mapping->data(), page + capacity, 0) ||
        !place(mapping->data() + page + capacity, capacity, page)) {
      const auto why = os::last_error();
      return os::Mapping::is_denied(why) ? make_error_code(Errc::bad_region) : why;
    }
    RingMemory memory;
    memory.mapping_ = std::move(*mapping);
    memory.capacity_ = capacity;
    return memory;
  }

  RingControl* control() const {
    return std::launder(reinterpret_cast<RingControl*>(mapping_.data()));
  }
  std::byte* ring() const { return mapping_.data() + os::page_size(); }

  os::Mapping mapping_;
  std::size_t capacity_ = 0;
};

}  // namespace strait::linux_mach
