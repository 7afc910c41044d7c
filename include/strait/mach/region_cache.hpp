#pragma once

// Regions on their way: made, sent, sent again, received, kept.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include "strait/mach/message_header.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The body of a message whose payload lies elsewhere; in the byte order of this machine.
struct OolReference {
  enum class Place : std::uint32_t {
    once,    // comes with this message and is the receiver's
    fresh,   // comes with this message and stays at the receiver, in this slot
    cached,  // is in this slot since an earlier message
  };
  std::uint64_t bytes = 0;
  std::uint32_t slot = 0;
  Place place = Place::once;

  std::span<const std::byte> bytes_of() const { return std::as_bytes(std::span(this, 1)); }
};

/// Sends a note whose memory the receiver has already.
template <class SendRight>
Result<void> send_note(SendRight& out, MessageHeader header, const OolReference& note) {
  header.bytes = sizeof note;
  return out.post(header, [&](std::byte* room) { std::memcpy(room, &note, sizeof note); });
}

/// How many regions a receiver keeps for a sender that sends them again and again.
inline constexpr std::size_t kept_regions = 8;

/// A region with those that use it: buffers, and what keeps it to be sent or read again.
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

  Lease share() {
    references_.fetch_add(1, std::memory_order_relaxed);  // the caller has one already
    return Lease(this);
  }
  bool is_shared() const {
    // Acquire: pairs with `drop` by the others.
    return references_.load(std::memory_order_acquire) != 1;
  }

  std::size_t size() const { return region_.bytes().size(); }

  /// What the memory holds now, in a region that never changes.
  ///
  /// Errors: the system's.
  Result<const Region*> snapshot() {
    if (!frozen_) {
      const auto frozen = region_.freeze();
      frozen_ = true;
      written_ = !frozen;  // this side has its own bytes by now: they are what counts
      if (!frozen) return frozen.error();
      renew();
    } else if (written_ || !can_be_sent()) {
      auto copy = Region::copy_of(region_.bytes());
      if (!copy) return copy.error();
      copy_ = std::move(*copy);
      copied_ = true;
      written_ = false;
      renew();
    }
    return copied_ ? &copy_ : &region_;
  }
  /// Names the last snapshot, and no other of this process.
  std::uint64_t snapshot_id() const { return snapshot_id_; }
  /// Whether it was sent before.
  bool was_sent() const { return sent_; }
  void set_sent() { sent_ = true; }

  /// Stands for another region from now on, which came frozen; for its only user.
  void refill(Region region) {
    region_ = std::move(region);
    data_ = region_.data();
    copy_ = Region();
    frozen_ = true;
    written_ = copied_ = kept_ = false;
    renew();
  }

  /// From now on later messages may be read here, too.
  void keep() {
    kept_ = true;
    region_.protect();
  }

  Result<void> make_writable(Lease& lease) override {
    if (!kept_) {
      written_ = frozen_;
      return {};
    }
    auto own = region_.duplicate();
    if (!own) return own.error();
    Lease other = create(std::move(*own), true);
    if (!other) return no_memory();
    lease = std::move(other);
    return lease->make_writable(lease);
  }

  const void* kind() const noexcept override { return &own_kind; }

 private:
  static constexpr char own_kind = 0;

  RegionMemory(Region region, bool frozen) : region_(std::move(region)), frozen_(frozen) {
    data_ = region_.data();
    if (frozen) renew();
  }

  void drop() noexcept override {
    // Release: what was done here was done before the memory goes; acquire: for the thread that
    // lets it go.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// A received region may be here without what it takes to send it on.
  bool can_be_sent() const {
    if constexpr (requires { region_.can_be_sent(); }) {
      return copied_ || region_.can_be_sent();
    } else {
      return true;
    }
  }

  void renew() {
    static std::atomic<std::uint64_t> last = 0;
    snapshot_id_ = last.fetch_add(1, std::memory_order_relaxed) + 1;  // only has to be another one
    sent_ = false;
  }

  Region region_;
  Region copy_;
  std::uint64_t snapshot_id_ = 0;
  std::atomic<std::uint32_t> references_ = 1;
  bool frozen_;
  bool written_ = false;
  bool copied_ = false;
  bool sent_ = false;
  bool kept_ = false;
};

/// The sending side: what is sent again is named, once the receiver has it.
template <class KernelT>
class RegionSender {
  using SendRight = typename KernelT::SendRight;
  using Region = typename KernelT::Region;

 public:
  static Result<Lease> allocate(std::size_t size) {
    auto region = Region::create(size);
    if (!region) return region.error();
    Lease lease = RegionMemory<Region>::create(std::move(*region), false);
    if (!lease) return no_memory();
    return lease;
  }

  /// Sends the message that lies in `lease`, which stays the caller's; `moved` if it is not needed
  /// any more.
  ///
  /// Errors: `unsupported` if it is other memory; those of `SendRight::send`; the system's.
  Result<void> send(SendRight& out, const MessageHeader& header, const Lease& lease,
                    std::size_t bytes, bool moved) {
    auto* memory = RegionMemory<Region>::in(lease);
    if (memory == nullptr || memory->size() != bytes) return Errc::unsupported;
    const auto region = memory->snapshot();
    if (!region) return region.error();
    OolReference note{bytes};
    Kept* kept = find(*memory);
    if (kept != nullptr && kept->snapshot == memory->snapshot_id()) {
      note.place = OolReference::Place::cached;
      note.slot = index(*kept);
      kept->used = ++sends_;
      return send_note(out, header, note);
    }
    if (memory->was_sent() && !moved) {
      if (kept == nullptr) kept = &oldest();
      note.place = OolReference::Place::fresh;
      note.slot = index(*kept);
    }
    auto sent = out.send(header, note.bytes_of(), **region);
    if (!sent) return sent;
    memory->set_sent();
    if (note.place == OolReference::Place::fresh) {
      *kept = {memory->share(), memory->snapshot_id(), ++sends_};
    }
    return {};
  }

  /// As `send`, of bytes that lie anywhere.
  template <class Payload>
  Result<void> send_copy(SendRight& out, const MessageHeader& header, const Payload& payload) {
    auto region = [&] {
      if constexpr (Payload::contiguous) {
        return Region::copy_of(payload.bytes());
      } else {
        return Region::filled_by(payload.size(),
                                 [&](std::byte* bytes) { payload.write_to(bytes); });
      }
    }();
    if (!region) return region.error();
    return out.send(header, OolReference{payload.size()}.bytes_of(), *region);
  }

  /// Has the receiver let go of what can't be sent again here.
  void evict_unused(SendRight& out, const MessageHeader& forget) {
    for (Kept& kept : kept_) {
      if (!kept.lease || static_cast<RegionMemory<Region>*>(kept.lease.get())->is_shared())
        continue;
      if (!send_note(out, forget, {0, index(kept)})) return;
      kept = {};
    }
  }

 private:
  struct Kept {
    Lease lease;
    std::uint64_t snapshot = 0;
    std::uint64_t used = 0;
  };

  Kept* find(const Memory& memory) {
    for (Kept& kept : kept_) {
      if (kept.lease.get() == &memory) return &kept;
    }
    return nullptr;
  }
  Kept& oldest() {
    Kept* found = &kept_[0];
    for (Kept& kept : kept_) {
      if (kept.used < found->used) found = &kept;
    }
    return *found;
  }
  std::uint32_t index(const Kept& kept) const {
    return static_cast<std::uint32_t>(&kept - kept_.data());
  }

  std::array<Kept, kept_regions> kept_;
  std::uint64_t sends_ = 0;
};

/// The receiving side. The sender may be hostile.
template <class KernelT>
class RegionReceiver {
  using ReceiveRight = typename KernelT::ReceiveRight;
  using Region = typename KernelT::Region;

 public:
  /// Takes what a message that was popped has announced.
  ///
  /// Errors: `malformed`, `bad_region`, the system's.
  Result<Lease> take(ReceiveRight& in, const MessageHeader& message, const OolReference& note) {
    using Place = OolReference::Place;
    if (note.place == Place::cached) {
      auto* kept = message.descriptors == 0 && note.slot < kept_regions
                       ? RegionMemory<Region>::in(kept_[note.slot])
                       : nullptr;
      if (kept == nullptr || kept->size() != note.bytes) return Errc::malformed;
      return kept->share();
    }
    const bool keeps = note.place == Place::fresh;
    if (message.descriptors != 1 || (!keeps && note.place != Place::once) ||
        note.slot >= kept_regions) {
      return Errc::malformed;
    }
    done();  // if a listener has thrown
    auto region = in.take_region(static_cast<std::size_t>(note.bytes));
    if (!region) return region.error();
    if (last_) {
      RegionMemory<Region>::in(last_)->refill(std::move(*region));
    } else {
      last_ = RegionMemory<Region>::create(std::move(*region), true);
      if (!last_) return no_memory();
    }
    auto* memory = RegionMemory<Region>::in(last_);
    if (keeps) {
      memory->keep();
      kept_[note.slot] = memory->share();
    }
    return memory->share();
  }

  /// To be called when the receiver's listener is done. What it has not kept is unmapped, and what
  /// stood for it serves the next message, so that none needs memory from the heap.
  void done() {
    auto* memory = RegionMemory<Region>::in(last_);
    if (memory == nullptr) return;
    if (memory->is_shared()) {
      last_.reset();
    } else {
      memory->refill(Region());
    }
  }

  /// Whether there is nothing that the sender may name.
  bool empty() const {
    for (const Lease& kept : kept_) {
      if (kept) return false;
    }
    return true;
  }

  /// Errors: `malformed`.
  Result<void> forget(const MessageHeader& message, const OolReference& note) {
    if (message.descriptors != 0 || note.slot >= kept_regions) return Errc::malformed;
    kept_[note.slot].reset();
    return {};
  }

 private:
  std::array<Lease, kept_regions> kept_;
  Lease last_;
};

}  // namespace strait::detail
