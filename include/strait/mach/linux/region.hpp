#pragma once

#include <unistd.h>

#include <cstddef>
#include <span>
#include <utility>

#include "strait/mach/linux/shared_memory_file.hpp"
#include "strait/posix/mapping.hpp"

namespace strait::linux_mach {

/// Out-of-line memory: a file in memory that is filled once and then sealed for ever. Whoever
/// receives it maps it privately, so either side may write to its own view without the other seeing
/// it, and neither can change what the other sees.
class Region {
 public:
  /// A sealed region with a copy of `bytes`.
  static Result<Region> copy_of(std::span<const std::byte> bytes) {
    auto region = create(bytes.size());
    if (!region) return region;
    // Writing by system call costs half of what the page faults of a mapping do.
    for (std::size_t done = 0; done != bytes.size();) {
      const ssize_t written = posix::retry(
          [&] { return ::write(region->file_.get(), bytes.data() + done, bytes.size() - done); });
      if (written < 0) return posix::last_error();
      done += static_cast<std::size_t>(written);
    }
    return sealed(std::move(*region));
  }

  /// A sealed region that `fill(std::byte*)` has filled.
  template <class Fill>
  static Result<Region> filled_by(std::size_t size, Fill&& fill) {
    auto region = create(size);
    if (!region) return region;
    auto mapping =
        posix::Mapping::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, region->file_.get());
    if (!mapping) return mapping.error();
    fill(mapping->data());
    mapping->reset();  // the kernel does not seal what can still be written to
    return sealed(std::move(*region));
  }

  /// A region that a peer sent, mapped; at least `size` bytes long.
  ///
  /// Errors: `bad_region` if the file could still change or is shorter; those of `mmap`.
  static Result<Region> adopt(posix::Descriptor file, std::size_t size) {
    const auto actual = sealed_size(file.get(), seals_of_content);
    if (!actual) return actual.error();
    if (*actual < size) return Errc::bad_region;
    Region region;
    auto mapping = posix::Mapping::map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get());
    if (!mapping) return mapping.error();
    region.mapping_ = std::move(*mapping);
    return region;
  }

  int descriptor() const { return file_.get(); }
  std::span<const std::byte> bytes() const { return mapping_.bytes(); }

 private:
  static Result<Region> create(std::size_t size) {
    auto file = create_memory_file("strait-region", size);
    if (!file) return file.error();
    Region region;
    region.file_ = std::move(*file);
    return region;
  }

  static Result<Region> sealed(Region region) {
    if (auto added = add_seals(region.file_.get(), seals_of_content); !added) return added.error();
    return region;
  }

  posix::Descriptor file_;
  posix::Mapping mapping_;
};

}  // namespace strait::linux_mach
