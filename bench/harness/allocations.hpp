#pragma once

#include <cstdint>

namespace bench {

/// Counts what this process takes from the heap, in all its threads. One at a time.
class AllocationCount {
 public:
  /// Counts nothing unless `wanted`, so that no timed message pays for it.
  explicit AllocationCount(bool wanted) noexcept;
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;
  ~AllocationCount();

  std::uint64_t so_far() const noexcept;
};

/// False where `malloc` is not ours to replace: without glibc, or under a sanitizer.
bool allocations_can_be_counted() noexcept;

}  // namespace bench
