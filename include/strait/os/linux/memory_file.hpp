#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <span>

#include "strait/os/linux/shared_memory_file.hpp"
#include "strait/os/posix/mapping.hpp"

namespace strait::os {

using linux_mach::add_seals;
using linux_mach::create_memory_file;
using linux_mach::sealed_size;
using linux_mach::seals_of_content;
using linux_mach::seals_of_size;
using linux_mach::seals_of_writers;

/// Whether there is memory that its maker can write, and those that it is sent to can't.
inline constexpr bool has_seals_of_writers = true;

/// The size that `sealed_size` gives for memory of so many bytes.
inline std::size_t memory_file_bytes(std::size_t size) { return size; }

/// A sealed file with a copy of these bytes, for `contents_of`.
inline Result<Descriptor> memory_file_of(std::span<const std::byte> bytes) {
  auto file = create_memory_file("strait-bytes", bytes.size());
  if (!file) return file;
  for (std::size_t done = 0; done != bytes.size();) {
    const ssize_t written =
        retry([&] { return ::write(file->get(), bytes.data() + done, bytes.size() - done); });
    if (written < 0) return last_error();
    done += static_cast<std::size_t>(written);
  }
  if (auto sealed = add_seals(file->get(), seals_of_content); !sealed) return sealed.error();
  return file;
}

/// What is in a file that a peer made with `memory_file_of`.
///
/// Errors: `bad_region` if it is none, or holds more than `max_bytes`; those of `mmap`.
inline Result<Mapping> contents_of(int fd, std::size_t max_bytes) {
  const auto size = sealed_size(fd, seals_of_content);
  if (!size) return size.error();
  if (*size > max_bytes) return Errc::bad_region;
  return Mapping::map_received(*size, PROT_READ, MAP_PRIVATE, fd);
}

}  // namespace strait::os
