#pragma once

#include <unistd.h>

#include <cstddef>
#include <span>

#include "strait/mach/linux/shared_memory_file.hpp"

namespace strait::posix {

using linux_mach::add_seals;
using linux_mach::create_memory_file;
using linux_mach::sealed_size;
using linux_mach::seals_of_content;
using linux_mach::seals_of_size;

/// A sealed file with a copy of these bytes.
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

}  // namespace strait::posix
