#pragma once

// What a link has of memory that its sender lends to many: which segments, and what is read.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/mach/lent_file.hpp"
#include "strait/mach/loan_returns.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/region_cache.hpp"
#include "strait/mach/shared_segment.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/fork_mark.hpp"
#include "strait/os/mapping.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The lending side of a link: which segments the receiver has mapped, and which it reads.
template <class SendRight>
class SharedLoanSender {
 public:
  /// Sends the message that lies in `segment`, which the receiver maps if it has not yet; at most
  /// `max_bytes` in all.
  ///
  /// Errors: `would_block` when there is no room, or the receiver reads all that it may have; those
  /// of `SendRight::send`; the system's.
  Result<void> send(SendRight& out, const MessageHeader& header, SharedSegment& segment,
                    std::size_t bytes, std::size_t max_bytes) {
    if (!segment.reserve_receiver()) return no_memory();
    if (!returns_) {
      if (auto made = make_returns(out); !made) return made;
    }
    Place* place = find(segment);
    if (place == nullptr) {
      auto room = make_room(out, segment.capacity(), max_bytes);
      if (!room) return room.error();
      place = *room;
    }
    OolReference note{bytes, index(*place), OolReference::Place::shared_cached};
    Result<void> sent;
    if (place->segment) {
      sent = send_note(out, header, note);
    } else {
      note.place = OolReference::Place::shared_fresh;
      const NativeHandle descriptor[] = {segment.file()};
      sent = out.send(header, note.bytes_of(), descriptor);
    }
    if (!sent) return sent;
    if (!place->segment) {
      place->segment = segment.keep();
      place->receiver = segment.add_receiver(*returns_.get(), note.slot);
      bytes_ += segment.capacity();
    }
    place->sent = bytes;
    place->used = ++sends_;
    segment.note_loan(place->receiver, ++place->number);
    return {};
  }

  /// How many bytes of messages the receiver may be reading.
  std::size_t bytes_out() const {
    std::size_t bytes = 0;
    for (const Place& place : places_) {
      if (is_out(place)) bytes += place.sent;
    }
    return bytes;
  }
  /// How much of this the receiver has mapped.
  std::size_t bytes() const { return bytes_; }
  bool empty() const { return !returns_; }

  /// Has the receiver let go of what will not be lent again.
  void evict_unused(SendRight& out) {
    if (bytes_ == 0) return;
    for (Place& place : places_) {
      if (!place.segment || !place.segment->is_retired() || is_out(place)) continue;
      if (!forget(out, place)) return;
    }
  }

 private:
  struct Place {
    SharedSegment::Kept segment;
    /// As which the segment knows this link.
    std::size_t receiver = 0;
    /// Of the last loan here; it goes on with the next segment.
    std::uint32_t number = 0;
    std::size_t sent = 0;
    std::uint64_t used = 0;
  };

  static constexpr MessageHeader loan_header{.kind = static_cast<std::uint8_t>(MessageKind::loan)};

  Result<void> make_returns(SendRight& out) {
    os::Descriptor file;
    auto made = LoanReturns::create(file);
    if (!made) return made.error();
    const OolReference note{0, 0, OolReference::Place::returns};
    const NativeHandle descriptor[] = {file.get()};
    if (auto sent = out.send(loan_header, note.bytes_of(), descriptor); !sent) return sent;
    returns_ = std::move(*made);
    return {};
  }

  bool is_out(const Place& place) const {
    return place.segment && !returns_->is_back(index(place), place.number);
  }

  Place* find(const SharedSegment& segment) {
    for (Place& place : places_) {
      if (place.segment.get() == &segment) return &place;
    }
    return nullptr;
  }

  /// A free place, within the bound with a segment of this size: those that were not used for the
  /// longest time make room.
  ///
  /// Errors: `would_block`; those of `forget`.
  Result<Place*> make_room(SendRight& out, std::size_t capacity, std::size_t max_bytes) {
    for (;;) {
      Place* free = nullptr;
      Place* oldest = nullptr;
      for (Place& place : places_) {
        if (!place.segment) {
          if (free == nullptr) free = &place;
        } else if (!is_out(place) && (oldest == nullptr || place.used < oldest->used)) {
          oldest = &place;
        }
      }
      const bool fits = bytes_ <= max_bytes && capacity <= max_bytes - bytes_;
      if (free != nullptr && fits) return free;
      if (oldest == nullptr) return Errc::would_block;
      if (auto forgotten = forget(out, *oldest); !forgotten) return forgotten.error();
    }
  }

  Result<void> forget(SendRight& out, Place& place) {
    if (auto sent = send_note(out, loan_header, {0, index(place), OolReference::Place::forgotten});
        !sent) {
      return sent;
    }
    bytes_ -= place.segment->capacity();
    place.segment.reset();
    return {};
  }

  std::uint32_t index(const Place& place) const {
    return static_cast<std::uint32_t>(&place - places_.data());
  }

  LoanReturns::OfLink returns_;
  std::array<Place, LoanReturns::places> places_;
  std::size_t bytes_ = 0;
  std::uint64_t sends_ = 0;
};

/// A segment that a peer lends to others, too: it can be read here, and each message in it is given
/// back for itself.
class BorrowedSegment final : public Memory {
 public:
  struct ReleaseBorrowed {
    void operator()(BorrowedSegment* segment) const noexcept { segment->release(); }
  };
  /// The right of the link to name it.
  using Held = Owner<BorrowedSegment, ReleaseBorrowed>;

  /// Errors: `bad_region` if its size could change, or is not within these bounds.
  static Result<Held> adopt(os::Descriptor file, std::size_t used, std::size_t max_capacity,
                            LoanReturns::Held returns, std::size_t place) {
    const auto size = os::sealed_size(file.get(), os::seals_of_size);
    if (!size) return size.error();
    if (*size < used || *size > max_capacity) return Errc::bad_region;
    auto mapping = os::Mapping::map_received(*size, os::Mapping::shared_read_only, file.get());
    if (!mapping) return mapping.error();
    auto* segment = new (std::nothrow) BorrowedSegment;
    if (segment == nullptr) return no_memory();
    segment->data_ = mapping->data();
    segment->mapping_ = std::move(*mapping);
    segment->returns_ = std::move(returns);
    segment->place_ = place;
    return Held(segment);
  }

  std::size_t capacity() const { return mapping_.size(); }

  /// The loan of one message, of so many bytes.
  Lease lend(std::size_t bytes) {
    references_.fetch_add(1, MemoryOrder::relaxed);  // the caller has one already
    used_bytes_.store(bytes, MemoryOrder::relaxed);
    return Lease(this);
  }

  /// What others read is not written to: `lease` goes on with a copy, and the loan is over.
  Result<void> make_writable(Lease& lease, std::size_t, std::size_t) override {
    const std::size_t bytes = used_bytes_.load(MemoryOrder::relaxed);
    auto copy = PrivateMemory::create(bytes);
    if (!copy) return copy.error();
    if (bytes != 0) std::memcpy((*copy)->data(), data_, bytes);
    lease = std::move(*copy);
    return {};
  }

  const void* kind() const noexcept override { return &own_kind; }

 private:
  static constexpr char own_kind = 0;

  /// The loan is over; not for the process that this one was forked from, which reads on.
  void drop() noexcept override {
    if (process_.is_this_process()) returns_->give_back(place_);
    release();
  }
  void release() noexcept {
    // As in `LoanReturns`.
    if (references_.fetch_sub(1, MemoryOrder::acq_rel) == 1) delete this;
  }

  os::Mapping mapping_;
  LoanReturns::Held returns_;
  std::size_t place_ = 0;
  /// Of the message that came last: an honest sender has no other one in it at a time.
  Atomic<std::size_t> used_bytes_ = 0;
  Atomic<std::uint32_t> references_ = 1;
  os::ForkMark process_;
};

/// The borrowing side of a link. The sender may be hostile in all but what the bytes are.
template <class ReceiveRight>
class SharedLoanReceiver {
 public:
  /// As `RegionReceiver::take`; an empty lease when that was no message. At most `max_bytes` in
  /// all.
  Result<Lease> take(ReceiveRight& in, const MessageHeader& message, const OolReference& note,
                     std::size_t max_bytes) {
    using Place = OolReference::Place;
    if (note.slot >= segments_.size()) return Errc::malformed;
    auto& segment = segments_[note.slot];
    const auto bytes = static_cast<std::size_t>(note.bytes);
    const bool brings = note.place == Place::returns || note.place == Place::shared_fresh;
    if (message.descriptors != (brings ? 1 : 0)) return Errc::malformed;
    // Each is once for all, and the page is there before the first segment.
    if (brings && (note.place == Place::returns ? !!returns_ : !returns_ || segment)) {
      return Errc::malformed;
    }
    if (!brings) {
      if (!segment) return Errc::malformed;
      if (note.place == Place::forgotten) return forget(segment);
      if (note.place != Place::shared_cached || segment->capacity() < bytes) return Errc::malformed;
      return segment->lend(bytes);
    }
    auto file = take_lent_file(in);
    if (!file) return file.error();
    if (note.place == Place::returns) {
      auto adopted = LoanReturns::adopt(std::move(*file));
      if (!adopted) return adopted.error();
      returns_ = std::move(*adopted);
      return Lease();
    }
    auto adopted = BorrowedSegment::adopt(std::move(*file), bytes, max_bytes - bytes_,
                                          returns_->share(), note.slot);
    if (!adopted) return adopted.error();
    segment = std::move(*adopted);
    bytes_ += segment->capacity();
    return segment->lend(bytes);
  }

  std::size_t bytes() const { return bytes_; }
  bool empty() const { return !returns_; }

 private:
  /// Buffers that a listener keeps stay what they are.
  Result<Lease> forget(BorrowedSegment::Held& segment) {
    bytes_ -= segment->capacity();
    segment.reset();
    return Lease();
  }

  LoanReturns::Held returns_;
  std::array<BorrowedSegment::Held, LoanReturns::places> segments_;
  std::size_t bytes_ = 0;
};

}  // namespace strait::detail
