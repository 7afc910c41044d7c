#include "harness/allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

// A program's own malloc takes the place of glibc's in all its libraries, `operator new` included.
// These count and pass on to glibc's under its other name; what they return is for glibc's `free`.

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define STRAIT_BENCH_SANITIZED 1
#endif
#endif
#if defined(__GLIBC__) && !defined(STRAIT_BENCH_SANITIZED) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define STRAIT_BENCH_COUNTS_ALLOCATIONS 1
#else
#define STRAIT_BENCH_COUNTS_ALLOCATIONS 0
#endif

namespace {

std::atomic<bool> counting = false;
std::atomic<std::uint64_t> allocations = 0;

}  // namespace

namespace bench {

AllocationCount::AllocationCount(bool wanted) noexcept {
  allocations = 0;
  counting = wanted;
}

AllocationCount::~AllocationCount() { counting = false; }

std::uint64_t AllocationCount::so_far() const noexcept { return allocations; }

bool allocations_can_be_counted() noexcept { return STRAIT_BENCH_COUNTS_ALLOCATIONS != 0; }

}  // namespace bench

#if STRAIT_BENCH_COUNTS_ALLOCATIONS

namespace {

void count_one() noexcept {
  if (counting.load(std::memory_order_relaxed)) [[unlikely]]
    allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) noexcept {
  count_one();
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) noexcept {
  count_one();
  return __libc_calloc(count, bytes);
}

void* realloc(void* old, std::size_t bytes) noexcept {
  count_one();
  return __libc_realloc(old, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  count_one();
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return memalign(alignment, bytes);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) noexcept {
  void* const memory = memalign(alignment, bytes);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}

}  // extern "C"

#endif
