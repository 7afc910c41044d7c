#pragma once

// Uninitialised memory of a size that is a multiple of its alignment, or a null pointer.

#include <cstddef>
#include <cstdlib>

#include "strait/config.hpp"
#if STRAIT_HAS_WINDOWS
#include <malloc.h>
#endif

namespace strait::os {

#if STRAIT_HAS_WINDOWS
inline void* allocate_aligned(std::size_t alignment, std::size_t size) {
  return ::_aligned_malloc(size, alignment);
}
inline void free_aligned(void* memory) { ::_aligned_free(memory); }
#else
inline void* allocate_aligned(std::size_t alignment, std::size_t size) {
  return std::aligned_alloc(alignment, size);
}
inline void free_aligned(void* memory) { std::free(memory); }
#endif

}  // namespace strait::os
