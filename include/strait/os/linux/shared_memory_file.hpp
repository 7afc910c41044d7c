#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/file_size_limit.hpp"
#include "strait/result.hpp"

namespace strait::linux_mach {

/// A process that maps a file which another one can shorten can be killed by it (SIGBUS).
inline constexpr unsigned seals_of_size = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
/// With these not even its maker can change a byte any more.
inline constexpr unsigned seals_of_content = seals_of_size | F_SEAL_WRITE;

/// With these only what its maker has mapped already can change a byte: Linux 5.1 or later, which
/// not every C library has a name for.
inline constexpr unsigned seals_of_writers = seals_of_size | 0x0010;  // F_SEAL_FUTURE_WRITE

/// A file in memory without a name in any file system.
///
/// Errors: `EFBIG` if it is over this process's limit on the size of files; those of the system.
inline Result<os::Descriptor> create_memory_file(const char* label, std::size_t size) {
  if (auto fits = os::check_file_size(size); !fits) return fits.error();
  auto file = os::adopt_new(::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return os::last_error();
  if (os::retry([&] { return ::ftruncate(file.get(), static_cast<off_t>(size)); }) != 0) {
    return os::last_error();
  }
  return file;
}

inline Result<void> add_seals(int fd, unsigned seals) {
  if (::fcntl(fd, F_ADD_SEALS, seals) != 0) return os::last_error();
  return {};
}

/// The size of a memory file that a peer sent, which has at least these seals. One whose content is
/// sealed has all of its memory: else the reader would have to pay for it, page by page.
///
/// Errors: `bad_region` if it is no ordinary memory file, lacks a seal, or has holes.
inline Result<std::size_t> sealed_size(int fd, unsigned seals) {
  const int present = ::fcntl(fd, F_GET_SEALS);
  if (present < 0 || (static_cast<unsigned>(present) & seals) != seals) return Errc::bad_region;
  // Huge pages have seals, too, but can run out when they are touched.
  struct statfs system;
  if (::fstatfs(fd, &system) != 0 || system.f_type != TMPFS_MAGIC) return Errc::bad_region;
  struct stat file;
  if (::fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size < 0) {
    return Errc::bad_region;
  }
  if ((seals & F_SEAL_WRITE) != 0 && file.st_blocks < (file.st_size + 511) / 512) {
    return Errc::bad_region;
  }
  return static_cast<std::size_t>(file.st_size);
}

}  // namespace strait::linux_mach
