#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/os/posix/mapping.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Bytes in shared memory whose size the system rounds up: how many there are stands before them.
inline constexpr std::size_t counted_memory_bytes(std::size_t bytes) {
  return bytes + sizeof(std::uint64_t);
}

/// Writes bytes into shared memory of `counted_memory_bytes` of them.
///
/// Errors: those of `mmap`.
inline Result<void> write_counted_memory(int fd, std::span<const std::byte> bytes) {
  const auto memory =
      Mapping::map(counted_memory_bytes(bytes.size()), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  if (!memory) return memory.error();
  const std::uint64_t count = bytes.size();
  std::memcpy(memory->data(), &count, sizeof count);
  if (!bytes.empty()) std::memcpy(memory->data() + sizeof count, bytes.data(), bytes.size());
  return {};
}

/// A copy of the bytes in shared memory of this size that a peer wrote, and may still write.
///
/// Errors: `bad_region` if there are not as many as it says, or more than `max_bytes`; those of
/// `mmap`.
inline Result<Mapping> read_counted_memory(int fd, std::size_t size, std::size_t max_bytes) {
  if (size < counted_memory_bytes(0)) return Errc::bad_region;
  const auto memory = Mapping::map_received(size, PROT_READ, MAP_SHARED, fd);
  if (!memory) return memory.error();
  std::uint64_t count;
  std::memcpy(&count, memory->data(), sizeof count);  // once: it may be another one later
  if (count > max_bytes || count > size - sizeof count) return Errc::bad_region;
  auto copy = Mapping::anonymous(static_cast<std::size_t>(count));
  if (copy && count != 0) std::memcpy(copy->data(), memory->data() + sizeof count, copy->size());
  return copy;
}

}  // namespace strait::os
