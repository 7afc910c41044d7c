#pragma once

// Memory that one process writes and lends to many at once, each of which can only read it.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/min_max.hpp"
#include "strait/mach/loan_returns.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/mapping.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/processor.hpp"
#include "strait/result.hpp"

namespace strait::detail {

class SharedPool;
struct ReleasePool {
  void operator()(SharedPool* pool) const noexcept;
};
using HeldPool = Owner<SharedPool, ReleasePool>;

/// A segment of shared memory for one message to many receivers, on the sending side. Its size is
/// sealed, and so is writing to it but by the mapping that its maker has. It is written to anew
/// when no buffer stands for it and all its receivers have given it back.
///
/// Threads: that of the buffer which stands for it, or of the pool when there is none.
class SharedSegment final : public Memory {
 public:
  struct DropKept {
    void operator()(SharedSegment* segment) const noexcept { segment->release(one_keeper); }
  };
  /// The right of a pool, or of a link that sends it, to know which one it is.
  using Kept = Owner<SharedSegment, DropKept>;

  static Result<Kept> create(std::size_t capacity, std::size_t used, HeldPool pool) {
    auto file = os::create_memory_file("strait-shared", capacity);
    if (!file) return file.error();
    auto mapping = os::Mapping::map(capacity, os::Mapping::shared, file->get());
    if (!mapping) return mapping.error();
    if (auto sealed = os::add_seals(file->get(), os::seals_of_writers); !sealed) {
      return sealed.error();
    }
    mapping->populate(used);
    auto* segment = new (std::nothrow) SharedSegment;
    if (segment == nullptr) return no_memory();
    segment->file_ = std::move(*file);
    segment->data_ = mapping->data();
    segment->mapping_ = std::move(*mapping);
    segment->pool_ = std::move(pool);
    return Kept(segment);
  }

  static SharedSegment* in(const Lease& lease) {
    const bool is_one = lease && lease->kind() == &own_kind;
    return is_one ? static_cast<SharedSegment*>(lease.get()) : nullptr;
  }

  /// A buffer for so many bytes; for the pool, when the segment is free.
  Lease lend(std::size_t bytes) {
    references_.fetch_add(one_user, MemoryOrder::relaxed);  // the pool keeps it
    used_bytes_ = bytes;
    return Lease(this);
  }
  Kept keep() {
    references_.fetch_add(one_keeper, MemoryOrder::relaxed);  // the caller has one already
    return Kept(this);
  }

  enum class Use {
    none,
    buffer,     // is written or sent
    receivers,  // is read
    lost,       // can be read for ever, by a receiver whose link has ended
  };
  Use use() const {
    // Acquire: pairs with `release` by the buffer, on any thread.
    if (references_.load(MemoryOrder::acquire) % one_keeper != 0) return Use::buffer;
    return use_by_receivers();
  }

  std::size_t capacity() const { return mapping_.size(); }
  NativeHandle file() const { return file_.get(); }

  /// Makes room to note one more receiver; before it is sent to it.
  [[nodiscard]] bool reserve_receiver() {
    if (receiver_count_ != receiver_room_) return true;
    const std::size_t room = 2 * receiver_room_ + 4;
    auto* more = new (std::nothrow) Receiver[room];
    if (more == nullptr) return false;
    for (std::size_t i = 0; i != receiver_count_; ++i) more[i] = std::move(receivers_[i]);
    delete[] std::exchange(receivers_, more);
    receiver_room_ = room;
    return true;
  }
  /// Notes one that has it mapped from now on, and says how it is called in `note_loan`: as before,
  /// if it had been told to forget it.
  std::size_t add_receiver(LoanReturns& returns, std::size_t place) {
    std::size_t at = 0;
    while (at != receiver_count_ && receivers_[at].returns.get() != &returns) ++at;
    if (at == receiver_count_) ++receiver_count_;
    receivers_[at] = {returns.share(), place, 0};
    return at;
  }
  /// It was sent, and is in use until it has come back.
  void note_loan(std::size_t receiver, std::uint32_t number) {
    receivers_[receiver].number = number;
  }

  /// It will not be lent any more: links may forget it.
  void retire() { retired_.store(true, MemoryOrder::relaxed); }
  bool is_retired() const { return retired_.load(MemoryOrder::relaxed); }

  /// While a receiver reads the bytes they are not written to, nor once the link of one has ended:
  /// `lease` goes on with a copy.
  Result<void> make_writable(Lease& lease, std::size_t offset, std::size_t bytes) override;

  const void* kind() const noexcept override { return &own_kind; }

 private:
  static constexpr char own_kind = 0;
  // As in `RegionMemory`.
  static constexpr std::uint64_t one_user = 1;
  static constexpr std::uint64_t one_keeper = std::uint64_t{1} << 32;

  /// One that was sent the segment, and the number of its last loan.
  struct Receiver {
    LoanReturns::Held returns;
    std::size_t place = 0;
    std::uint32_t number = 0;
  };

  SharedSegment() = default;
  ~SharedSegment() { delete[] receivers_; }

  Use use_by_receivers() const {
    Use use = Use::none;
    for (std::size_t i = 0; i != receiver_count_; ++i) {
      const Receiver& one = receivers_[i];
      if (one.returns->is_closed()) return Use::lost;
      if (!one.returns->is_back(one.place, one.number)) use = Use::receivers;
    }
    return use;
  }

  void drop() noexcept override { release(one_user); }
  void release(std::uint64_t one) noexcept {
    // Release: what was done here was done before the memory serves anew, or goes; acquire: for the
    // thread that lets it go.
    if (references_.fetch_sub(one, MemoryOrder::acq_rel) == one) delete this;
  }

  os::Mapping mapping_;
  os::Descriptor file_;
  HeldPool pool_;
  std::size_t used_bytes_ = 0;
  Receiver* receivers_ = nullptr;
  std::size_t receiver_count_ = 0;
  std::size_t receiver_room_ = 0;
  Atomic<std::uint64_t> references_ = one_keeper;
  Atomic<bool> retired_ = false;
};

/// The segments of one that sends to many, of sizes that are powers of two.
///
/// Threads: `allocate` on any; one that comes while another is at it gets none.
class SharedPool {
 public:
  /// Twice as many as one receiver has at the most.
  static constexpr std::size_t max_segments = 2 * LoanReturns::places;

  struct Close {
    void operator()(SharedPool* pool) const noexcept {
      pool->close();
      pool->release();
    }
  };
  using Owned = Owner<SharedPool, Close>;

  /// For messages to receivers of which each may have so many bytes, which is half of what the pool
  /// may: one that gives nothing back leaves as much for the others.
  static Result<Owned> create(std::size_t max_bytes) {
    auto* pool = new (std::nothrow) SharedPool(max_bytes);
    if (pool == nullptr) return no_memory();
    return Owned(pool);
  }

  /// Memory for a message, warm if there is any. What receivers have for too long is not waited
  /// for: the segment that was lent first leaves the pool then, and is theirs alone. It counts in
  /// what is under way on their links, of which each has its own bound, so that no receiver takes
  /// memory from the others.
  ///
  /// Errors: `would_block` when the message is larger than a receiver may have, or buffers that
  /// were not sent take all of it; the system's.
  Result<Lease> allocate(std::size_t bytes) {
    if (bytes > max_bytes_) return Errc::would_block;
    if (allocating_.exchange(true, MemoryOrder::acquire)) return Errc::would_block;
    auto lease = allocate_alone(bytes);
    allocating_.store(false, MemoryOrder::release);
    return lease;
  }

  /// Whether it is memory of such a pool that a lease stands for.
  static bool is_of_one(const Lease& lease) { return SharedSegment::in(lease) != nullptr; }

  HeldPool share() {
    references_.fetch_add(1, MemoryOrder::relaxed);  // the caller has one already
    return HeldPool(this);
  }
  void release() noexcept {
    // As in `LoanReturns`.
    if (references_.fetch_sub(1, MemoryOrder::acq_rel) == 1) delete this;
  }

 private:
  static constexpr std::size_t min_capacity = std::size_t{64} << 10;

  struct Slot {
    SharedSegment::Kept segment;
    std::uint64_t lent = 0;
  };

  explicit SharedPool(std::size_t max_bytes) : max_bytes_((min)(max_bytes, SIZE_MAX / 4)) {}

  Result<Lease> allocate_alone(std::size_t bytes) {
    if (closed_) return Errc::would_block;
    const std::size_t capacity = std::bit_ceil((max)(bytes, (min)(min_capacity, max_bytes_)));
    if (capacity > max_bytes_) return Errc::would_block;
    for (std::size_t i = 0; i != count_; ++i) {
      const auto use = slots_[i].segment->use();
      if (use == SharedSegment::Use::lost) {
        remove(i--);
      } else if (use == SharedSegment::Use::none && slots_[i].segment->capacity() == capacity) {
        slots_[i].lent = ++lent_;
        return slots_[i].segment->lend(bytes);
      }
    }
    while (count_ == max_segments || capacity > 2 * max_bytes_ - bytes_) {
      if (!remove_one()) return Errc::would_block;
    }
    auto segment = SharedSegment::create(capacity, bytes, share());
    if (!segment) return segment.error();
    bytes_ += capacity;
    Slot& slot = slots_[count_++];
    slot = {std::move(*segment), ++lent_};
    return slot.segment->lend(bytes);
  }

  /// Removes one that is free or, if there is none, the one that was lent first.
  bool remove_one() {
    std::size_t found = count_;
    for (std::size_t i = 0; i != count_; ++i) {
      const auto use = slots_[i].segment->use();
      if (use == SharedSegment::Use::none) return remove(i), true;
      if (use == SharedSegment::Use::buffer) continue;
      if (found == count_ || slots_[i].lent < slots_[found].lent) found = i;
    }
    if (found == count_) return false;
    remove(found);
    return true;
  }
  void remove(std::size_t at) {
    bytes_ -= slots_[at].segment->capacity();
    slots_[at].segment->retire();
    if (at != --count_) slots_[at] = std::move(slots_[count_]);
    slots_[count_] = {};
  }

  void close() noexcept {
    // A buffer's `make_writable` on another thread takes as long as one allocation.
    while (allocating_.exchange(true, MemoryOrder::acquire)) os::pause_processor();
    closed_ = true;
    while (count_ != 0) remove(count_ - 1);
    allocating_.store(false, MemoryOrder::release);
  }

  Atomic<bool> allocating_ = false;
  Atomic<std::uint32_t> references_ = 1;
  const std::size_t max_bytes_;
  std::array<Slot, max_segments> slots_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t lent_ = 0;
  bool closed_ = false;
};

inline void ReleasePool::operator()(SharedPool* pool) const noexcept { pool->release(); }

inline Result<void> SharedSegment::make_writable(Lease& lease, std::size_t, std::size_t) {
  if (use_by_receivers() == Use::none) return {};
  auto copy = pool_->allocate(used_bytes_);
  if (!copy) copy = PrivateMemory::create(used_bytes_);
  if (!copy) return copy.error();
  std::memcpy((*copy)->data(), data_, used_bytes_);
  lease = std::move(*copy);
  return {};
}

}  // namespace strait::detail
