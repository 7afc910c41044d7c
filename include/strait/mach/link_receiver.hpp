#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/fair_share.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/ool_method.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/mapping.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/spin_after_batch.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/serializer.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// The receiving half of a link over a Mach kernel: puts fragments together, takes what comes out
/// of line, and checks all of it.
template <class KernelT, class SendPolicy, std::size_t queue_bytes>
class LinkReceiver {
 public:
  using ReceiveRight = typename KernelT::ReceiveRight;
  using OolMethod = detail::OolMethod<KernelT, typename SendPolicy::method>;
  using Kind = MessageKind;

  static constexpr std::size_t fragment_bytes = fragment_bytes_of(queue_bytes);

  explicit LinkReceiver(ReceiveRight in) : in_(std::move(in)) {}

  const ReceiveRight& in() const { return in_; }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    // A constant, so that the compiler makes a few moves of a copy of that size.
    constexpr std::size_t usual_bytes = detail::usual_bytes<std::remove_cvref_t<Sink>>;
    if (begun_) [[unlikely]] {
      if (auto resumed = resume(limits.max_message_bytes); !resumed) return resumed;
    }
    if constexpr (requires { in_.set_max_descriptors(limits.max_rights); }) {
      in_.set_max_descriptors(limits.max_rights);
    }
    std::ptrdiff_t left{fair_share_bytes};
    bool waited = false;
    for (int batch = 0; left > 0;) {
      const auto received = in_.peek();
      if (!received) {
        if (!received.failed_with(Errc::empty)) return received.outcome();
        // A lone message is the rule, and what comes behind it is not waited for.
        if (waited || batch < 2) return Errc::empty;
        spin_after_batch(batch);
        waited = true;
        continue;
      }
      ++batch;
      waited = false;
      const MessageHeader message = *received;
      left -= message_cost + static_cast<std::ptrdiff_t>(message.bytes);
      if (!is_plain(message) || assembling_) [[unlikely]] {
        // To take in what comes beside the message costs more than its bytes.
        if (message.descriptors != 0 || message.bytes == sizeof(OolReference) ||
            is_patch(message)) {
          left -= page_cost();
        }
        const auto more = receive_other(message, sink, limits.max_message_bytes);
        if (!more) return more.error();
        if (!*more) return {};
        continue;
      }
      if constexpr (usual_bytes != 0 && usual_bytes <= sizeof usual_) {
        if (message.bytes == usual_bytes) [[likely]] {
          std::memcpy(usual_, in_.body(), usual_bytes);
          in_.pop(plain_header(usual_bytes));
          if (!sink(Incoming{message.tag, {usual_, usual_bytes}})) return {};
          continue;
        }
      }
      if (message.bytes > (min)(fragment_bytes, limits.max_message_bytes)) [[unlikely]]
        return too_large(message);
      if (!incoming_.assign_words(in_.body(), message.bytes)) [[unlikely]]
        return no_memory();
      in_.pop(plain_header(message.bytes));
      const Incoming incoming{message.tag, incoming_.bytes()};
      if (!(usual_bytes == 0 ? sink(incoming) : give(sink, incoming))) return {};
    }
    return {};
  }

  bool readable() const { return in_.readable(); }
  bool arm() { return in_.arm(); }
  Interest interest() const { return in_.interest(); }
  bool disarm() { return in_.disarm(); }
  Result<void> wait(Deadline deadline) { return in_.wait(deadline); }
  void take_doorbells() { in_.take_doorbells(); }

  std::uint64_t unfinished() const {
    std::uint64_t bytes = 0;
    if constexpr (requires { in_.has_early_descriptors(); }) {
      if (in_.has_early_descriptors()) bytes = 1;
    }
    return assembling_ && !rights_.empty() ? 1 + incoming_.size() : bytes;
  }

  /// Whether memory of the other side's is mapped here.
  bool holds_memory() const {
    bool holds = false;
    if constexpr (MachKernelWithRegions<KernelT>) holds = holds || !regions_.empty();
    if constexpr (OolMethod::lends) holds = holds || !loans_.empty();
    return holds;
  }

  /// As `LinkSender::stay`.
  void stay() {
    if constexpr (requires { in_.close_memory_file(); }) in_.close_memory_file();
  }

  /// A packed endpoint of both ports and of what there is of an unfinished message. After an error
  /// everything is as it was.
  ///
  /// Errors: the system's.
  Result<os::Descriptor> pack(const typename KernelT::SendRight& out) requires
      MachKernelWithPackedEndpoints<KernelT> {
    os::Descriptor file;
    if (assembling_ && !begun_) {
      auto made = os::memory_file_of(incoming_.bytes());
      if (!made) return made.error();
      file = std::move(*made);
    }
    return KernelT::pack(in_, out, begun_ ? begun_ : file, rights_);
  }
  void resume_with(os::Descriptor begun, RightList rights) {
    assembling_ = static_cast<bool>(begun);
    begun_ = std::move(begun);
    rights_ = std::move(rights);
  }

 private:
  /// Whether a message is one piece of plain bytes.
  static bool is_plain(const MessageHeader& message) {
    return message.kind == static_cast<std::uint8_t>(Kind::whole) && message.descriptors == 0;
  }

  static bool is_patch(const MessageHeader& message) {
    return message.kind == static_cast<std::uint8_t>(Kind::patch);
  }

  static MessageHeader plain_header(std::size_t bytes) {
    return {.bytes = static_cast<std::uint32_t>(bytes)};
  }

  /// An honest sender cuts what is larger than a fragment.
  static Errc too_large(const MessageHeader& message) {
    return message.bytes > fragment_bytes ? Errc::malformed : Errc::message_too_large;
  }

  /// Receives what is not one piece of plain bytes. False when the sink wants no more.
  template <class Sink>
  [[gnu::noinline]] Result<bool> receive_other(MessageHeader message, Sink& sink,
                                               std::size_t max_message_bytes) {
    switch (static_cast<Kind>(message.kind)) {
      case Kind::whole:
      case Kind::fragment:
      case Kind::last_fragment: return receive_piece(message, sink, max_message_bytes);
      case Kind::region:
      case Kind::loan:
      case Kind::forget: {
        OolReference note;
        auto lease = take_out_of_line(message, note, max_message_bytes);
        if (!lease) return lease.error();
        if (!*lease) return true;
        const std::span<const std::byte> bytes((*lease)->data(),
                                               static_cast<std::size_t>(note.bytes));
        const bool more = give(sink, Incoming{message.tag, bytes, nullptr, &*lease});
        lease->reset();  // before `done`, which has the memory serve the next message
        if constexpr (MachKernelWithRegions<KernelT>) regions_.done();
        return more;
      }
      case Kind::patch:
        if constexpr (MachKernelWithRegions<KernelT>) {
          if (assembling_) return Errc::malformed;
          if (auto patched = regions_.patch(in_, message); !patched) return patched.error();
          return true;
        }
        return Errc::malformed;
      case Kind::welcome:
      case Kind::refusal:
      default: return Errc::malformed;
    }
  }

  /// A message with rights, or a part of a larger one.
  template <class Sink>
  Result<bool> receive_piece(const MessageHeader& message, Sink& sink,
                             std::size_t max_message_bytes) {
    const auto kind = static_cast<Kind>(message.kind);
    if (kind == Kind::whole && assembling_) return Errc::malformed;
    if (message.descriptors != 0 && (assembling_ || !MachKernelWithDescriptors<KernelT>)) {
      return Errc::malformed;
    }
    if (message.bytes > fragment_bytes) return Errc::malformed;
    if (!assembling_) incoming_.clear();
    if (message.bytes > max_message_bytes - incoming_.size()) return Errc::message_too_large;
    std::byte* copy = incoming_.extend(message.bytes);
    if (copy == nullptr) return no_memory();
    std::memcpy(copy, in_.body(), message.bytes);
    in_.pop(message);
    if constexpr (MachKernelWithDescriptors<KernelT>) {
      if (message.descriptors != 0) [[unlikely]] {
        if (auto taken = take_rights(message.descriptors); !taken) return taken.error();
      }
    }
    assembling_ = kind == Kind::fragment;
    if (assembling_) return true;
    const ClearedAfter cleared{rights_};
    RightList* const rights = rights_.empty() ? nullptr : &rights_;
    return give(sink, Incoming{message.tag, incoming_.bytes(), rights});
  }

  /// For what is not usual, while `receive` has the sink's code in it.
  template <class Sink>
  [[gnu::noinline]] static bool give(Sink& sink, const Incoming& message) {
    return sink(message);
  }

  /// What a message counts beside its bytes, so that a share has a bounded number of them.
  static constexpr std::ptrdiff_t message_cost{fair_share_bytes / std::size_t{fair_share}};

  static std::ptrdiff_t page_cost() { return static_cast<std::ptrdiff_t>(os::page_size()); }

  /// What the sink does not take of a message's rights is closed, also if it throws.
  struct ClearedAfter {
    RightList& rights;
    ~ClearedAfter() {
      if (!rights.empty()) [[unlikely]]
        rights.clear();
    }
  };

  /// Takes over what the former owner of this end had of the message that is coming in: only here
  /// it is known how large that may be.
  Result<void> resume(std::size_t max_message_bytes) {
    const auto size = os::sealed_size(begun_.get(), os::seals_of_content);
    if (!size) return size.error();
    if (*size > max_message_bytes) return Errc::message_too_large;
    const auto bytes =
        os::Mapping::map_received(*size, os::Mapping::copied_read_only, begun_.get());
    if (!bytes) return bytes.error();
    std::byte* copy = incoming_.extend(*size);
    if (copy == nullptr) return no_memory();
    if (*size != 0) std::memcpy(copy, bytes->data(), *size);
    begun_.reset();
    return {};
  }

  Result<void> take_rights(std::size_t count) {
    if (count > max_rights) return Errc::malformed;
    os::UnseenDescriptor taken[max_rights];
    const Slice<os::UnseenDescriptor> all(taken);
    if (auto found = in_.take_descriptors(all.first(count)); !found) return found;
    for (std::size_t i = 0; i != count; ++i) {
      if (!rights_.push(Right::from_peer(std::move(taken[i])))) {
        return no_memory();
      }
    }
    return {};
  }

  /// Takes what came out of line with the next message; nothing if that only said what is not
  /// needed any more.
  Result<Lease> take_out_of_line(const MessageHeader& message, OolReference& note,
                                 std::size_t max_bytes) {
    if (message.bytes != sizeof note || assembling_) return Errc::malformed;
    std::memcpy(&note, in_.body(), sizeof note);
    in_.pop(message);
    if (note.bytes > max_bytes) return Errc::message_too_large;
    if constexpr (OolMethod::lends) {
      if (message.kind == static_cast<std::uint8_t>(Kind::loan)) {
        return loans_.take(in_, message, note);
      }
    }
    if constexpr (MachKernelWithRegions<KernelT>) {
      if (message.kind == static_cast<std::uint8_t>(Kind::region)) {
        return regions_.take(in_, message, note);
      }
      if (message.kind == static_cast<std::uint8_t>(Kind::forget)) {
        if (auto forgotten = regions_.forget(message, note); !forgotten) return forgotten.error();
        return Lease();
      }
    }
    return Errc::malformed;
  }

  ReceiveRight in_;
  [[no_unique_address]] RegionReceiverOf<KernelT> regions_;
  [[no_unique_address]] LoanReceiverOf<KernelT, typename SendPolicy::method> loans_;
  /// A message of the usual size, aligned as most are; no more, or each channel were over-aligned.
  alignas(std::max_align_t) std::byte usual_[256];
  /// Any other.
  ByteBuffer incoming_;
  /// Of the message that is coming in.
  RightList rights_;
  bool assembling_ = false;
  /// What the former owner of this end had of that message, until it is looked at.
  os::Descriptor begun_;
};

}  // namespace strait::detail
