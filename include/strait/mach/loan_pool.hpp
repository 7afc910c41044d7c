#pragma once

// Memory that is lent with a message and comes back when its receiver has read it.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/min_max.hpp"
#include "strait/mach/lent_file.hpp"
#include "strait/mach/loan_state.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/region_cache.hpp"
#include "strait/mach/shared_loans.hpp"
#include "strait/mach/shared_segment.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/fork_mark.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::detail {

/// A segment of shared memory for one message at a time: a page that says whether it is free, then
/// the bytes. Both sides have it mapped for as long as the channel, or a buffer in it, lives.
class LoanSegment final : public Memory {
 public:
  /// How much of a segment is not for the message.
  static std::size_t header_bytes() { return os::page_size(); }

  /// A new one, lent to the caller.
  static Result<Lease> create(std::size_t capacity, std::size_t used) {
    const std::size_t size = header_bytes() + capacity;
    auto file = os::create_memory_file("strait-loan", size);
    if (!file) return file.error();
    if (auto sealed = os::add_seals(file->get(), os::seals_of_size); !sealed) {
      return sealed.error();
    }
    return map(std::move(*file), size, used);
  }

  /// One that a peer made, lent to the caller.
  ///
  /// Errors: `bad_region` if its size could change, or is not within these bounds.
  static Result<Lease> adopt(os::Descriptor file, std::size_t used, std::size_t max_capacity) {
    const auto size = os::sealed_size(file.get(), os::seals_of_size);
    if (!size) return size.error();
    if (*size < header_bytes() || *size - header_bytes() < used ||
        *size - header_bytes() > max_capacity) {
      return Errc::bad_region;
    }
    auto lease = map(std::move(file), *size, used);
    if (lease) in(*lease)->file_.reset();
    return lease;
  }

  static LoanSegment* in(const Lease& lease) {
    const bool is_one = lease && lease->kind() == &own_kind;
    return is_one ? static_cast<LoanSegment*>(lease.get()) : nullptr;
  }

  std::size_t capacity() const { return mapping_.size() - header_bytes(); }
  /// For the pool that made it, which passes it on once.
  os::Descriptor& file() { return file_; }

  /// Another use of the mapping, which has nothing to give back.
  LoanSegment* share() {
    references_.fetch_add(1, MemoryOrder::relaxed);  // the caller has one already
    return this;
  }
  void release() noexcept {
    // Release: what was done here was done before the mapping goes; acquire: for the thread that
    // unmaps it.
    if (references_.fetch_sub(1, MemoryOrder::acq_rel) == 1) delete this;
  }

  /// See `LoanState`.
  bool try_lend() { return state_.try_lend(free()); }
  void hand_over() { state_.hand_over(free()); }
  void take_back() { state_.take_back(); }
  bool is_out() const { return state_.is_out(free()); }

  const void* kind() const noexcept override { return &own_kind; }

 private:
  static constexpr char own_kind = 0;

  static Result<Lease> map(os::Descriptor file, std::size_t size, std::size_t used) {
    auto mapping = os::Mapping::map_received(size, os::Mapping::shared, file.get());
    if (!mapping) return mapping.error();
    mapping->populate(header_bytes() + used);
    auto* segment = new (std::nothrow) LoanSegment;
    if (segment == nullptr) return no_memory();
    segment->file_ = std::move(file);
    segment->data_ = mapping->data() + header_bytes();
    segment->mapping_ = std::move(*mapping);
    return Lease(segment);
  }

  /// The loan is over; not for the process that this one was forked from, which uses it on.
  void drop() noexcept override {
    if (process_.is_this_process()) state_.drop(free());
    release();
  }

  LoanState::SharedWord& free() const {
    return *std::launder(reinterpret_cast<LoanState::SharedWord*>(mapping_.data()));
  }

  os::Mapping mapping_;
  os::Descriptor file_;
  Atomic<std::uint32_t> references_ = 1;
  LoanState state_;
  os::ForkMark process_;
};

/// Holds a segment that may be lent at the moment.
struct ReleaseSegment {
  void operator()(LoanSegment* segment) const noexcept { segment->release(); }
};
using HeldSegment = Owner<LoanSegment, ReleaseSegment>;

/// How many segments a pool has at the most.
inline constexpr std::size_t max_segments = 128;

/// The lending side: a pool of segments, of sizes that are powers of two.
template <class KernelT, std::size_t max_bytes>
class LoanSender {
  using SendRight = typename KernelT::SendRight;

 public:
  /// Memory for a message, warm if there is any.
  ///
  /// Errors: `would_block` when all is lent and the pool may not grow; the system's.
  Result<Lease> allocate(std::size_t size) {
    if (size > max_bytes) return Errc::would_block;
    const std::size_t capacity = capacity_for(size);
    for (std::size_t i = 0; i != count_; ++i) {
      if (slots_[i].capacity == capacity && slots_[i].segment->try_lend()) return lend(i);
    }
    if (count_ != max_segments && capacity <= max_bytes - bytes_ - shared_.bytes()) {
      auto lease = LoanSegment::create(capacity, size);
      if (!lease) return lease;
      slots_[count_++] = {capacity, HeldSegment(LoanSegment::in(*lease)->share()), 0};
      bytes_ += capacity;
      return lease;
    }
    for (std::size_t i = 0; i != count_; ++i) {
      if (slots_[i].capacity > capacity && slots_[i].segment->try_lend()) return lend(i);
    }
    return Errc::would_block;
  }

  /// As `RegionSender::send`. On success the loan is the receiver's if `moved`; without that the
  /// bytes are copied, unless they lie in memory for many receivers.
  ///
  /// Errors: also `would_block` when there is nothing to copy them to.
  Result<void> send(SendRight& out, const MessageHeader& header, Lease& lease, std::size_t bytes,
                    bool moved) {
    if (auto* shared = SharedSegment::in(lease)) {
      return shared_.send(out, header, *shared, bytes, max_bytes - bytes_);
    }
    auto* segment = LoanSegment::in(lease);
    const std::size_t slot = segment != nullptr && moved ? find(*segment) : count_;
    if (slot == count_) return Errc::unsupported;
    return send_slot(out, header, slot, lease, bytes);
  }

  template <class Payload>
  Result<void> send_copy(SendRight& out, const MessageHeader& header, const Payload& payload) {
    auto lease = allocate(payload.size());
    if (!lease) return lease.error();
    payload.write_to((*lease)->data());
    return send_slot(out, header, find(*LoanSegment::in(*lease)), *lease, payload.size());
  }

  void evict_unused(SendRight& out, const MessageHeader&) { shared_.evict_unused(out); }
  /// How much of the pool a message takes; itself if it is too large to be lent.
  static std::size_t capacity_for(std::size_t bytes) {
    return bytes > max_bytes ? bytes : std::bit_ceil((max)(bytes, least_capacity));
  }
  /// How many bytes of messages the receiver has not given back.
  std::size_t bytes_out() const {
    std::size_t bytes = shared_.bytes_out();
    for (std::size_t i = 0; i != count_; ++i) {
      if (slots_[i].segment->is_out()) bytes += slots_[i].sent;
    }
    return bytes;
  }
  /// How many bytes the receiver has mapped, and so can be out at the most.
  std::size_t pool_bytes() const { return bytes_ + shared_.bytes(); }
  /// Whether there are no segments.
  bool empty() const { return count_ == 0 && shared_.empty(); }

 private:
  struct Slot {
    std::size_t capacity = 0;
    HeldSegment segment;
    /// How many bytes of it the last message took.
    std::size_t sent = 0;
  };

  static constexpr bool keeps_what_was_sent = requires(SendRight out, RightList given) {
    out.keep(std::move(given));
  };
  static constexpr std::size_t least_capacity = (min)(std::size_t{64} << 10, max_bytes);

  Lease lend(std::size_t index) { return Lease(slots_[index].segment->share()); }

  std::size_t find(const LoanSegment& segment) const {
    std::size_t i = 0;
    while (i != count_ && slots_[i].segment.get() != &segment) ++i;
    return i;
  }

  Result<void> send_slot(SendRight& out, const MessageHeader& header, std::size_t slot,
                         Lease& lease, std::size_t bytes) {
    OolReference note{bytes, static_cast<std::uint32_t>(slot), OolReference::Place::cached};
    os::Descriptor& file = slots_[slot].segment->file();
    if (file) note.place = OolReference::Place::fresh;
    const NativeHandle descriptor[] = {file.get()};
    RightList given;
    if constexpr (keeps_what_was_sent) {
      if (file && !given.push({})) return no_memory();
    }
    slots_[slot].segment->hand_over();
    auto sent = file ? out.send(header, note.bytes_of(), descriptor) : send_note(out, header, note);
    if (!sent) {
      slots_[slot].segment->take_back();
      return sent;
    }
    if constexpr (keeps_what_was_sent) {
      if (file) {
        given.front().descriptor = std::move(file);
        out.keep(std::move(given));
      }
    }
    file.reset();
    slots_[slot].sent = bytes;
    // The loan is the receiver's to end.
    static_cast<LoanSegment*>(lease.release())->release();
    return {};
  }

  std::array<Slot, max_segments> slots_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  SharedLoanSender<SendRight> shared_;
};

/// The borrowing side.
template <class KernelT, std::size_t max_bytes>
class LoanReceiver {
  using ReceiveRight = typename KernelT::ReceiveRight;

 public:
  /// As `RegionReceiver::take`.
  Result<Lease> take(ReceiveRight& in, const MessageHeader& message, const OolReference& note) {
    using Place = OolReference::Place;
    const std::size_t bytes = static_cast<std::size_t>(note.bytes);
    if (note.place > Place::cached) return shared_.take(in, message, note, max_bytes - bytes_);
    if (note.slot >= max_segments) return Errc::malformed;
    HeldSegment& slot = slots_[note.slot];
    if (note.place == Place::cached) {
      if (message.descriptors != 0 || !slot || slot->capacity() < bytes) return Errc::malformed;
      return Lease(slot->share());
    }
    if (note.place != Place::fresh || message.descriptors != 1 || slot) return Errc::malformed;
    auto file = take_lent_file(in);
    if (!file) return file.error();
    auto lease = LoanSegment::adopt(std::move(*file), bytes, max_bytes - bytes_ - shared_.bytes());
    if (!lease) return lease;
    slot = HeldSegment(LoanSegment::in(*lease)->share());
    bytes_ += slot->capacity();
    return lease;
  }

  bool empty() const { return bytes_ == 0 && shared_.empty(); }

 private:
  std::array<HeldSegment, max_segments> slots_;
  std::size_t bytes_ = 0;
  SharedLoanReceiver<ReceiveRight> shared_;
};

}  // namespace strait::detail
