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
  Region() = default;

  /// A region that is mapped and can be written, until `freeze`.
  static Result<Region> create(std::size_t size) {
    auto region = unmapped(size);
    if (!region) return region;
    auto mapping =
        posix::Mapping::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, region->file_.get());
    if (!mapping) return mapping.error();
    // All of it will be written: one call costs a fifth less than a page fault for each page.
    mapping->populate();
    region->mapping_ = std::move(*mapping);
    return region;
  }

  /// A frozen region with a copy of `bytes`.
  static Result<Region> copy_of(std::span<const std::byte> bytes) {
    auto region = unmapped(bytes.size());
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

  /// A frozen region that `fill(std::byte*)` has filled.
  template <class Fill>
  static Result<Region> filled_by(std::size_t size, Fill&& fill) {
    auto region = create(size);
    if (!region) return region;
    fill(region->mapping_.data());
    region->mapping_.reset();  // the kernel does not seal what can still be written to
    return sealed(std::move(*region));
  }

  /// A region that a peer sent, mapped: of `size` bytes.
  ///
  /// Errors: `bad_region` if the file could still change or is shorter; those of `mmap`.
  static Result<Region> adopt(posix::Descriptor file, std::size_t size) {
    const auto actual = sealed_size(file.get(), seals_of_content);
    if (!actual) return actual.error();
    if (*actual < size) return Errc::bad_region;
    return map_private(std::move(file), size);
  }

  /// From now on nobody can change what a receiver sees. This side goes on with a copy of its own,
  /// of which the kernel makes a page when it is written to.
  ///
  /// Errors: those of the system, such as for memory that is in use for direct input.
  Result<void> freeze() {
    if (auto replaced = mapping_.replace(PROT_READ | PROT_WRITE, MAP_PRIVATE, file_.get());
        !replaced) {
      return replaced;
    }
    return add_seals(file_.get(), seals_of_content);
  }

  /// The same bytes once more, for somebody else to write to.
  Result<Region> duplicate() const {
    auto file = posix::adopt_new(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
    if (!file) return posix::last_error();
    return map_private(std::move(file), mapping_.size());
  }

  /// Nobody shall write to this view: others will read it.
  void protect() { ::mprotect(mapping_.data(), mapping_.size(), PROT_READ); }

  int descriptor() const { return file_.get(); }
  std::byte* data() const { return mapping_.data(); }
  std::span<const std::byte> bytes() const { return mapping_.bytes(); }

 private:
  static Result<Region> unmapped(std::size_t size) {
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

  static Result<Region> map_private(posix::Descriptor file, std::size_t size) {
    auto mapping = posix::Mapping::map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get());
    if (!mapping) return mapping.error();
    Region region;
    region.file_ = std::move(file);
    region.mapping_ = std::move(*mapping);
    return region;
  }

  posix::Descriptor file_;
  posix::Mapping mapping_;
};

}  // namespace strait::linux_mach
