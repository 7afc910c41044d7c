#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/base/slice.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/mapping.hpp"

namespace strait::linux_mach {

/// What the system knows of each page of this process, 8 bytes for each, in the order of their
/// addresses.
class PageMap {
 public:
  PageMap() {
    // Opened each time: a file that was opened before a fork tells of the parent's pages. By the
    // thread's own name, since the first thread of a process may have ended.
    file_ = os::adopt_new(::open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC));
  }

  /// Whether the map can be had, and is that of this process, in which the stack is memory that was
  /// written. It may be missing (a container without /proc, a process that gave up its user), or
  /// tell of other addresses (an emulator).
  bool works() const {
    std::uint64_t entry = 0;
    if (!file_ || !read(reinterpret_cast<std::uintptr_t>(&entry), {&entry, 1}) || !is_own(entry)) {
      return false;
    }
    static const bool tells_addresses = finds_one_of_three();
    return tells_addresses;
  }

  /// Reads the entries of as many pages, from the one at `address` on.
  bool read(std::uintptr_t address, strait::detail::Slice<std::uint64_t> entries) const {
    const auto offset = static_cast<off_t>(address / os::page_size() * sizeof(std::uint64_t));
    const ssize_t got = os::retry(
        [&] { return ::pread(file_.get(), entries.data(), entries.size_bytes(), offset); });
    return got == static_cast<ssize_t>(entries.size_bytes());
  }

  /// Whether a page is there, or swapped out, and belongs to no file.
  static bool is_own(std::uint64_t entry) {
    constexpr std::uint64_t present = std::uint64_t{1} << 63;
    constexpr std::uint64_t swapped = std::uint64_t{1} << 62;
    constexpr std::uint64_t of_file = std::uint64_t{1} << 61;
    return (entry & (present | swapped)) != 0 && (entry & of_file) == 0;
  }

 private:
  /// Whether of three pages in a row the one that was written shows, and no neighbour: an emulator
  /// may have moved all addresses by a page.
  bool finds_one_of_three() const {
    const std::size_t page = os::page_size();
    void* const pages = ::mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return false;
    auto* const second = static_cast<volatile std::byte*>(pages) + page;
    std::array<std::uint64_t, 3> entries{};
    bool found = false;
    if (::mprotect(const_cast<std::byte*>(second), page, PROT_READ | PROT_WRITE) == 0) {
      *second = std::byte{1};
      found = read(reinterpret_cast<std::uintptr_t>(pages), entries) && !is_own(entries[0]) &&
              is_own(entries[1]) && !is_own(entries[2]);
    }
    ::munmap(pages, 3 * page);
    return found;
  }

  os::Descriptor file_;
};

/// Calls `visit(offset, bytes)` for each run of pages of a private mapping that were written to
/// since it was mapped, from the front on, until it returns false. False then, and where the system
/// does not tell: the visited ones may not be all.
///
/// A page that was written is a copy, which belongs to the process and no longer to the file. So no
/// write is missed, whichever thread makes it and whenever, and nothing has to be armed before;
/// soft-dirty bits are reset for a whole process, and `PAGEMAP_SCAN`'s written bit takes a
/// userfaultfd.
template <class Visit>
bool visit_written_pages(std::span<const std::byte> mapping, Visit&& visit) {
  const PageMap map;
  if (!map.works()) return false;
  std::array<std::uint64_t, 512> entries;
  const std::size_t page = os::page_size();
  const std::size_t pages = (mapping.size() + page - 1) / page;
  const auto address = reinterpret_cast<std::uintptr_t>(mapping.data());
  std::size_t begin = 0;  // of a run
  std::size_t end = 0;
  const auto visit_run = [&] {
    const std::size_t last = end * page < mapping.size() ? end * page : mapping.size();
    return begin == end || visit(begin * page, last - begin * page);
  };
  for (std::size_t first = 0; first < pages; first += entries.size()) {
    const std::size_t count = pages - first < entries.size() ? pages - first : entries.size();
    if (!map.read(address + first * page, std::span(entries).first(count))) return false;
    for (std::size_t i = 0; i != count; ++i) {
      if (!PageMap::is_own(entries[i])) continue;
      if (end != first + i) {
        if (!visit_run()) return false;
        begin = first + i;
      }
      end = first + i + 1;
    }
  }
  return visit_run();
}

}  // namespace strait::linux_mach
