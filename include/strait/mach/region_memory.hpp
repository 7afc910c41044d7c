#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/min_max.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/memory/write_log.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// A region with those that use it: buffers, and what keeps it to be sent or read again. One buffer
/// may be sent over many channels, each of which keeps it.
template <class Region>
class RegionMemory final : public Memory {
 public:
  /// A region that is still to be filled, or one that came frozen. A null lease when there is no
  /// memory.
  static Lease create(Region region, bool frozen) {
    return Lease(new (std::nothrow) RegionMemory(std::move(region), frozen));
  }

  /// What a lease stands for if that is one of these, or a null pointer.
  static RegionMemory* in(const Lease& lease) {
    const bool is_one = lease && lease->kind() == &own_kind;
    return is_one ? static_cast<RegionMemory*>(lease.get()) : nullptr;
  }

  struct DropKept {
    void operator()(RegionMemory* memory) const noexcept { memory->release(one_keeper); }
  };
  /// The right of one that keeps it to name it in later messages, and neither reads nor writes.
  using Kept = Owner<RegionMemory, DropKept>;

  Lease share() {
    references_.fetch_add(one_user, MemoryOrder::relaxed);  // the caller has one already
    return Lease(this);
  }
  Kept keep_to_send() {
    references_.fetch_add(one_keeper, MemoryOrder::relaxed);  // as `share`
    return Kept(this);
  }
  bool is_shared() const {
    // Acquire: pairs with `release` by the others.
    return references_.load(MemoryOrder::acquire) != one_user;
  }
  /// Whether there is a buffer that can be sent again; for one that keeps it.
  bool has_users() const {
    // Acquire: as in `is_shared`.
    return references_.load(MemoryOrder::acquire) % one_keeper != 0;
  }

  std::size_t size() const { return region_.bytes().size(); }

  /// What the memory holds now, in a region that never changes.
  ///
  /// Errors: the system's.
  Result<const Region*> snapshot() {
    end_version();
    if (!frozen_) {
      const auto frozen = region_.freeze();
      frozen_ = true;
      sealed_ = frozen.has_value();
      written_ = !frozen;  // this side has its own bytes by now: they are what counts
      if (!frozen) return frozen.error();
    } else if (written_ || !can_be_sent()) {
      auto copy = Region::copy_of(region_.bytes());
      if (!copy) return copy.error();
      written_ = false;
      copied_ = !rebase(*copy);
      copy_ = std::move(*copy);
    }
    return copied_ ? &copy_ : &region_;
  }

  /// The number of what the memory holds now: what is written later makes another version.
  std::uint64_t version() {
    end_version();
    return version_;
  }
  /// What was written, and in which version.
  const WriteLog& writes() const { return writes_; }
  /// How much of it may travel by itself. Beyond an eighth of the buffer, a fresh region is about
  /// as cheap; up to 16 KiB it never is.
  std::size_t max_patch_bytes() const { return (max)(size() / 8, std::size_t{16} << 10); }
  /// Which region it is: no other one of this process ever has the same.
  std::uint64_t id() const { return id_; }

  /// Stands for another region from now on, which came frozen; for its only user.
  void refill(Region region) {
    region_ = std::move(region);
    data_ = region_.data();
    copy_ = Region();
    frozen_ = sealed_ = true;
    written_ = copied_ = being_written_ = written_anywhere_ = sparse_ = kept_ = patched_ = false;
    id_ = new_id();
    writes_.clear();
  }

  /// From now on later messages may be read here, too.
  void keep() {
    kept_ = true;
    region_.protect();
  }

  /// Makes `lease`, by which the receiver keeps one of these, stand for one that it can patch:
  /// itself, or a copy if there are buffers that stand for it, too.
  ///
  /// Errors: the system's; `lease` then stands for the same bytes.
  static Result<std::byte*> make_patchable(Lease& lease) {
    auto* memory = in(lease);
    if (memory->is_shared()) {
      auto own = memory->region_.duplicate();
      if (!own) return own.error();
      Lease other = create(std::move(*own), true);
      if (!other) return no_memory();
      lease = std::move(other);
      memory = in(lease);
      memory->kept_ = true;
    }
    if (!memory->patched_) {
      if (auto unprotected = memory->region_.unprotect(); !unprotected) return unprotected.error();
    }
    memory->patched_ = memory->written_ = true;
    return memory->data();
  }

  Result<void> make_writable(Lease& lease, std::size_t offset, std::size_t bytes) override {
    if (!kept_) {
      if (frozen_) note_write(offset, bytes);
      return {};
    }
    auto own = region_.duplicate();
    if (!own) return own.error();
    Lease other = create(std::move(*own), true);
    if (!other) return no_memory();
    lease = std::move(other);
    return lease->make_writable(lease, offset, bytes);
  }

  const void* kind() const noexcept override { return &own_kind; }

 private:
  static constexpr char own_kind = 0;

  RegionMemory(Region region, bool frozen)
      : region_(std::move(region)), frozen_(frozen), sealed_(frozen) {
    data_ = region_.data();
  }

  // Users are counted in the lower half of one word and keepers in the upper, so that one look
  // tells of both.
  static constexpr std::uint64_t one_user = 1;
  static constexpr std::uint64_t one_keeper = std::uint64_t{1} << 32;

  static std::uint64_t new_id() {
    static constinit Atomic<std::uint64_t> last = 0;
    return last.fetch_add(1, MemoryOrder::relaxed) + 1;
  }

  void drop() noexcept override { release(one_user); }

  void release(std::uint64_t one) noexcept {
    // Release: what was done here was done before the memory goes; acquire: for the thread that
    // lets it go.
    if (references_.fetch_sub(one, MemoryOrder::acq_rel) == one) delete this;
  }

  /// A received region may be here without what it takes to send it on.
  bool can_be_sent() const {
    if constexpr (requires { region_.can_be_sent(); }) {
      return copied_ || region_.can_be_sent();
    } else {
      return true;
    }
  }

  static constexpr bool knows_written_pages = requires(Region region) { region.rebase(region); };

  void note_write(std::size_t offset, std::size_t bytes) {
    if (!being_written_) ++version_;
    written_ = being_written_ = true;
    if (bytes == size()) {
      written_anywhere_ = true;  // what of it, the system is asked when it is sent
    } else {
      writes_.add(offset, offset + bytes, version_);
    }
  }

  void end_version() {
    if (!being_written_) return;
    being_written_ = false;
    if (std::exchange(written_anywhere_, false) && !log_written_pages()) {
      writes_.add(0, size(), version_);
    }
  }

  /// Takes all pages that ever were written since the region was sealed for written in this
  /// version. False if they are too many to travel, or not known.
  bool log_written_pages() {
    if constexpr (knows_written_pages) {
      std::size_t left = max_patch_bytes();
      if (!sealed_ || size() <= left) return false;
      const bool all = region_.visit_written([&](std::size_t offset, std::size_t bytes) {
        if (bytes > left) return false;
        left -= bytes;
        writes_.add(offset, offset + bytes, version_);
        return true;
      });
      sparse_ = sparse_ || all;
      return all;
    } else {
      return false;
    }
  }

  /// Goes on from `copy`, which holds the same bytes, so that no page counts as written. Each page
  /// that is written afterwards costs a fault, which pays where few are: where it was so before.
  bool rebase([[maybe_unused]] Region& copy) {
    if constexpr (knows_written_pages) {
      return std::exchange(sparse_, false) && region_.rebase(copy);
    } else {
      return false;
    }
  }

  Region region_;
  Region copy_;
  WriteLog writes_;
  std::uint64_t version_ = 1;
  std::uint64_t id_ = new_id();
  Atomic<std::uint64_t> references_ = one_user;
  bool frozen_;
  /// Whether nothing changes what the region was when it was frozen: not if freezing failed.
  bool sealed_;
  bool written_ = false;
  bool copied_ = false;
  bool being_written_ = false;
  /// Whether what was written in this version is known to the system only.
  bool written_anywhere_ = false;
  /// Whether that was little at some time since the region was sealed.
  bool sparse_ = false;
  bool kept_ = false;
  bool patched_ = false;
};

}  // namespace strait::detail
