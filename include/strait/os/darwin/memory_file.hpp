#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/base/hex.hpp"
#include "strait/os/posix/counted_memory.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/mapping.hpp"
#include "strait/os/posix/random.hpp"

namespace strait::os {

/// Shared memory is a POSIX object here, too, not a Mach memory entry: its descriptor travels over
/// every transport that carries descriptors (over Mach's ports as a right to the file), is closed,
/// duplicated and counted as all others are, and tells its size, which an entry does not.
///
/// XNU lets a shared memory object be given a size once (`pshm_truncate` in bsd/kern/posix_shm.c),
/// so that is sealed from the start. Its content can't be: what counts is copied out before it is
/// looked at.
inline constexpr unsigned seals_of_size = 0;
inline constexpr unsigned seals_of_content = 0;
inline constexpr unsigned seals_of_writers = 0;
/// Whoever gets a descriptor that its maker can write to can write to it, too.
inline constexpr bool has_seals_of_writers = false;
inline Result<void> add_seals(int, unsigned) { return {}; }

/// Memory without a name: the one that it needs for a moment is random and gone at once.
inline Result<Descriptor> create_memory_file(const char*, std::size_t size) {
  std::array<std::byte, 8> random;
  if (auto filled = fill_random(random); !filled) return filled.error();
  char name[] = "/strait-0000000000000000";
  strait::detail::write_hex(random, name + 8);
  const int fd = ::shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);  // closed on exec
  if (fd < 0) return last_error();
  ::shm_unlink(name);
  Descriptor memory = adopt_new(fd);
  if (!memory) return last_error();
  if (size != 0 && ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0) return last_error();
  return memory;
}

/// The size that `sealed_size` gives for memory of so many bytes: the system makes whole pages.
inline std::size_t memory_file_bytes(std::size_t size) {
  const std::size_t beyond = size % page_size();
  return beyond == 0 ? size : size + (page_size() - beyond);
}

/// Memory with a copy of these bytes, for `contents_of`.
inline Result<Descriptor> memory_file_of(std::span<const std::byte> bytes) {
  auto file = create_memory_file("", counted_memory_bytes(bytes.size()));
  if (!file) return file;
  if (auto written = write_counted_memory(file->get(), bytes); !written) return written.error();
  return file;
}

/// The size of a shared memory object that a peer sent, in whole pages.
///
/// Errors: `bad_region` if it is anything else, such as a file, which can be shortened.
inline Result<std::size_t> sealed_size(int fd, unsigned) {
  struct stat object;
  // Files, sockets, pipes and devices say what they are; `pshm_stat` gives permissions alone.
  if (::fstat(fd, &object) != 0 || (object.st_mode & S_IFMT) != 0 || object.st_size < 0) {
    return Errc::bad_region;
  }
  return static_cast<std::size_t>(object.st_size);
}

/// What is in memory that a peer made with `memory_file_of`: a copy, as nothing seals the bytes.
///
/// Errors: `bad_region` if it is none, or holds more than `max_bytes`; those of `mmap`.
inline Result<Mapping> contents_of(int fd, std::size_t max_bytes) {
  const auto size = sealed_size(fd, seals_of_content);
  return size ? read_counted_memory(fd, *size, max_bytes) : size.error();
}

}  // namespace strait::os
