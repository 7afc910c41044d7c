#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include "strait/base/atomic.hpp"

namespace strait::os {

/// As `OwnerProcess`, for where a system call each time would be too much: a mark in a page that
/// the kernel wipes in a forked process.
class ForkMark {
 public:
  bool is_this_process() const noexcept { return mark() == mark_; }

 private:
  static std::uint32_t mark() noexcept {
    const auto& page = wiped_page();
    if (page == nullptr) return static_cast<std::uint32_t>(::getpid());
    std::uint32_t found = page->load(detail::MemoryOrder::relaxed);
    if (found == 0) {
      found = static_cast<std::uint32_t>(::getpid());
      page->store(found, detail::MemoryOrder::relaxed);
    }
    return found;
  }

  static detail::Atomic<std::uint32_t>* const& wiped_page() noexcept {
    static detail::Atomic<std::uint32_t>* const page = make();
    return page;
  }

  static detail::Atomic<std::uint32_t>* make() noexcept {
#if defined(MADV_WIPEONFORK)
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    if (::madvise(memory, size, MADV_WIPEONFORK) == 0) {
      return ::new (memory) detail::Atomic<std::uint32_t>(0);
    }
    ::munmap(memory, size);
#endif
    return nullptr;
  }

  std::uint32_t mark_ = mark();
};

}  // namespace strait::os
