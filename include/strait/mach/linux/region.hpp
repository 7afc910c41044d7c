#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/os/linux/shared_memory_file.hpp"
#include "strait/os/linux/written_pages.hpp"
#include "strait/os/posix/mapping.hpp"

namespace strait::linux_mach {

/// A share in how many files of received regions this process keeps open, so that these can be sent
/// on without a copy.
class OpenFileShare {
 public:
  static constexpr int max_files = 32;

  OpenFileShare() = default;
  OpenFileShare(OpenFileShare&& other) noexcept : held_(std::exchange(other.held_, false)) {}
  OpenFileShare& operator=(OpenFileShare&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~OpenFileShare() {
    if (held_) open_files().fetch_sub(1, strait::detail::MemoryOrder::relaxed);
  }

  /// False when there are as many as there may be.
  bool acquire() {
    held_ = open_files().fetch_add(1, strait::detail::MemoryOrder::relaxed) < max_files;
    if (!held_) open_files().fetch_sub(1, strait::detail::MemoryOrder::relaxed);
    return held_;
  }

 private:
  static strait::detail::Atomic<int>& open_files() {
    static constinit strait::detail::Atomic<int> count = 0;
    return count;
  }

  bool held_ = false;
};

/// Out-of-line memory: a file in memory that is filled once and then sealed for ever. A process
/// that receives it maps it privately, so either side may write to its own view without the other
/// seeing it, and neither can change what the other sees.
class Region {
 public:
  Region() = default;

  /// A region that is mapped and can be written, until `freeze`.
  static Result<Region> create(std::size_t size) {
    auto region = unmapped(size);
    if (!region) return region;
    auto mapping = os::Mapping::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, region->file_.get());
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
      const ssize_t written = os::retry(
          [&] { return ::write(region->file_.get(), bytes.data() + done, bytes.size() - done); });
      if (written < 0) return os::last_error();
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
  static Result<Region> adopt(os::Descriptor file, std::size_t size) {
    const auto actual = sealed_size(file.get(), seals_of_content);
    if (!actual) return actual.error();
    if (*actual < size) return Errc::bad_region;
    auto region = map_private(std::move(file), size);
    // The memory stays mapped without its file.
    if (region && !region->share_.acquire()) region->file_.reset();
    return region;
  }

  /// From now on no process can change what a receiver sees. This side goes on with a copy of its
  /// own, of which the kernel makes a page when it is written to.
  ///
  /// Errors: those of the system, such as for memory that is in use for direct input.
  Result<void> freeze() {
    struct stat file;
    const auto size = static_cast<off_t>(mapping_.size());
    // A receiver takes no holes. Pages that were never touched are some where the system has not
    // made them all at once.
    if (::fstat(file_.get(), &file) == 0 && file.st_blocks < (size + 511) / 512 &&
        os::retry([&] { return ::fallocate(file_.get(), 0, 0, size); }) != 0) {
      return os::last_error();
    }
    if (auto replaced = mapping_.replace(PROT_READ | PROT_WRITE, MAP_PRIVATE, file_.get());
        !replaced) {
      return replaced;
    }
    return add_seals(file_.get(), seals_of_content);
  }

  /// Calls `visit(offset, bytes)` for each part that was written to since it was frozen, adopted or
  /// rebased, in whole pages, until it returns false. False then, and where the system does not
  /// tell.
  template <class Visit>
  bool visit_written(Visit&& visit) const {
    return visit_written_pages(mapping_.bytes(), visit);
  }

  /// Is from now on what `copy` holds, which is a frozen copy of it; at the same place.
  ///
  /// Errors: those of `mmap`, and both are as they were.
  Result<void> rebase(Region& copy) {
    if (auto replaced = mapping_.replace(PROT_READ | PROT_WRITE, MAP_PRIVATE, copy.file_.get());
        !replaced) {
      return replaced;
    }
    file_ = std::move(copy.file_);
    share_ = OpenFileShare();
    return {};
  }

  /// Whether this can be sent, or has to be copied for that.
  bool can_be_sent() const { return static_cast<bool>(file_); }

  /// The same bytes once more, for another owner to write to.
  Result<Region> duplicate() const {
    if (!file_) {
      auto copy = copy_of(bytes());
      if (!copy) return copy;
      return map_private(std::move(copy->file_), mapping_.size());
    }
    auto file = os::duplicate(file_.get());
    if (!file) return os::last_error();
    return map_private(std::move(file), mapping_.size());
  }

  /// Nothing may be written to this view: others will read it.
  void protect() { ::mprotect(mapping_.data(), mapping_.size(), PROT_READ); }

  /// This view is written to again, and is no longer what its file holds.
  ///
  /// Errors: the system's, such as when it has no memory for the pages that will be written.
  Result<void> unprotect() {
    if (::mprotect(mapping_.data(), mapping_.size(), PROT_READ | PROT_WRITE) != 0) {
      return os::last_error();
    }
    file_.reset();
    share_ = OpenFileShare();
    return {};
  }

  int descriptor() const { return file_.get(); }
  /// Also of a region that is not mapped here.
  std::size_t size() const { return size_; }
  std::byte* data() const { return mapping_.data(); }
  std::span<const std::byte> bytes() const { return mapping_.bytes(); }

 private:
  static Result<Region> unmapped(std::size_t size) {
    auto file = create_memory_file("strait-region", size);
    if (!file) return file.error();
    Region region;
    region.file_ = std::move(*file);
    region.size_ = size;
    return region;
  }

  static Result<Region> sealed(Region region) {
    if (auto added = add_seals(region.file_.get(), seals_of_content); !added) return added.error();
    return region;
  }

  static Result<Region> map_private(os::Descriptor file, std::size_t size) {
    auto mapping = os::Mapping::map_received(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get());
    if (!mapping) return mapping.error();
    Region region;
    region.file_ = std::move(file);
    region.mapping_ = std::move(*mapping);
    region.size_ = size;
    return region;
  }

  os::Descriptor file_;
  os::Mapping mapping_;
  std::size_t size_ = 0;
  OpenFileShare share_;
};

}  // namespace strait::linux_mach
