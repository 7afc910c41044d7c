#pragma once

// Regions on their way: made, sent, sent again, patched, received, kept.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/base/object_bytes.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/region_memory.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The body of a message whose payload lies elsewhere; in the byte order of this machine.
struct OolReference {
  enum class Place : std::uint32_t {
    once,    // comes with this message and is the receiver's
    fresh,   // comes with this message and stays at the receiver, in this slot
    cached,  // is in this slot since an earlier message
    // Of memory that is lent to others, too, in slots of their own:
    returns,        // is no message, but the page in which the receiver gives back
    shared_fresh,   // as `fresh`
    shared_cached,  // as `cached`
    forgotten,      // is no message: what is in this slot is not named any more
  };
  std::uint64_t bytes = 0;
  std::uint32_t slot = 0;
  Place place = Place::once;

  std::span<const std::byte> bytes_of() const { return object_bytes(*this); }
};

/// What stands before the bytes of a patch, which replace those from `offset` on in the region that
/// the receiver keeps in this slot. The message that names the slot comes later.
struct PatchHeader {
  std::uint64_t offset = 0;
  std::uint32_t slot = 0;
  std::uint32_t reserved = 0;
};

/// Sends a note whose memory the receiver has already.
template <class SendRight>
Result<void> send_note(SendRight& out, MessageHeader header, const OolReference& note) {
  header.bytes = sizeof note;
  return out.post(header, [&](std::byte* room) { std::memcpy(room, &note, sizeof note); });
}

/// How many regions a receiver keeps for a sender that sends them again and again.
inline constexpr std::size_t kept_regions = 8;

/// The sending side: what is sent again is named, once the receiver has it, and what was written
/// since is sent before.
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
    OolReference note{bytes};
    Kept* kept = find(*memory);
    if (kept != nullptr) {
      const auto current = bring_up_to_date(out, *memory, *kept);
      // Where the changes find no room, a region may: it takes less of the queue.
      if (!current && current.error() != Errc::would_block) return current.error();
      if (current.value_or(false)) {
        note.place = OolReference::Place::cached;
        note.slot = index(*kept);
        kept->used = ++sends_;
        // Shown together with the patches, or the receiver would find no message and go to sleep.
        auto sent = stage(out, header, note, {});
        out.publish();
        return sent;
      }
    }
    const auto region = memory->snapshot();
    if (!region) return region.error();
    const std::uint64_t version = memory->version();
    const std::uint64_t last = last_version_of(*memory);
    if (last != 0 && !moved && (last == version || is_patch(*memory, last))) {
      if (kept == nullptr) kept = &oldest();
      note.place = OolReference::Place::fresh;
      note.slot = index(*kept);
    }
    auto sent = out.send(header, note.bytes_of(), **region);
    if (!sent) return sent;
    if (note.place == OolReference::Place::fresh) {
      *kept = {memory->keep_to_send(), version, ++sends_};
    } else if (!moved) {
      once_[next_once_++ % once_.size()] = {memory->id(), version};
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
      if (!kept.memory || kept.memory->has_users()) continue;
      if (!send_note(out, forget, {0, index(kept)})) return;
      kept = {};
    }
  }

 private:
  using Sent = RegionMemory<Region>;

  struct Kept {
    typename Sent::Kept memory;
    /// What the receiver has of it.
    std::uint64_t version = 0;
    std::uint64_t used = 0;
  };
  /// A buffer that was sent here and that the receiver does not keep: one that goes once to each of
  /// many channels is kept by none of them.
  struct Once {
    std::uint64_t id = 0;
    std::uint64_t version = 0;
  };

  static constexpr std::size_t publish_bytes = std::size_t{4} << 10;

  /// Whether what was written after a version is little enough to travel by itself.
  static bool is_patch(const Sent& memory, std::uint64_t version) {
    return memory.writes().bytes_since(version) <= memory.max_patch_bytes();
  }

  /// Stages what was written since the receiver's copy was made or patched. False if that is so
  /// much that a fresh region is the better way. What is sent twice, since there was no room the
  /// first time, does no harm: no message names the slot in between.
  ///
  /// Errors: `would_block`, `peer_closed`.
  Result<bool> bring_up_to_date(SendRight& out, Sent& memory, Kept& kept) {
    const std::uint64_t version = memory.version();
    if (kept.version == version) return true;
    const std::size_t piece =
        (min)(out.max_inline_bytes() - sizeof(PatchHeader), std::size_t{16} << 10);
    const std::size_t patches = memory.writes().bytes_since(kept.version);
    if (!is_patch(memory, kept.version) || patches > 2 * out.max_inline_bytes()) {
      return false;
    }
    constexpr MessageHeader patch_header{.kind = static_cast<std::uint8_t>(MessageKind::patch)};
    Result<void> sent;
    std::size_t staged_bytes = 0;
    memory.writes().visit_since(kept.version, [&](std::size_t offset, std::size_t left) {
      while (left != 0 && sent) {
        const std::size_t size = (min)(left, piece);
        sent = stage(out, patch_header, PatchHeader{offset, index(kept)},
                     std::span<const std::byte>(memory.data() + offset, size));
        offset += size;
        left -= size;
        staged_bytes += size;
        if (staged_bytes >= publish_bytes) {
          out.publish();
          staged_bytes = 0;
        }
      }
      return sent.has_value();
    });
    if (!sent) {
      out.publish();
      return sent.error();
    }
    kept.version = version;
    return true;
  }

  /// Stages a message of a head and the bytes behind it.
  template <class Head>
  static Result<void> stage(SendRight& out, MessageHeader header, const Head& head,
                            std::span<const std::byte> bytes) {
    header.bytes = static_cast<std::uint32_t>(sizeof head + bytes.size());
    const auto room = out.reserve(header.bytes);
    if (!room) return room.error();
    std::memcpy(*room, &head, sizeof head);
    if (!bytes.empty()) std::memcpy(*room + sizeof head, bytes.data(), bytes.size());
    return out.stage(header);
  }

  Kept* find(const Sent& memory) {
    for (Kept& kept : kept_) {
      if (kept.memory.get() == &memory) return &kept;
    }
    return nullptr;
  }
  /// The version that was sent here last; 0 if none was, or long ago.
  std::uint64_t last_version_of(const Sent& memory) {
    const Kept* const kept = find(memory);
    std::uint64_t last = kept != nullptr ? kept->version : 0;
    for (const Once& once : once_) {
      if (once.id == memory.id() && once.version > last) last = once.version;
    }
    return last;
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
  std::array<Once, 4 * kept_regions> once_;
  std::size_t next_once_ = 0;
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

  /// Writes what a message that was not popped yet brings to a region that is kept here. Buffers
  /// that a listener keeps stay what they were.
  ///
  /// Errors: `malformed`, the system's.
  Result<void> patch(ReceiveRight& in, const MessageHeader& message) {
    PatchHeader header;
    if (message.descriptors != 0 || message.bytes < sizeof header) return Errc::malformed;
    std::memcpy(&header, in.body(), sizeof header);
    const std::size_t size = message.bytes - sizeof header;
    done();  // if a listener has thrown
    auto* memory =
        header.slot < kept_regions ? RegionMemory<Region>::in(kept_[header.slot]) : nullptr;
    if (memory == nullptr || header.offset > memory->size() ||
        size > memory->size() - header.offset) {
      return Errc::malformed;
    }
    const auto data = RegionMemory<Region>::make_patchable(kept_[header.slot]);
    if (!data) return data.error();
    if (size != 0) std::memcpy(*data + header.offset, in.body() + sizeof header, size);
    in.pop(message);
    return {};
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
