#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/slice.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/ool_method.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/processor.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/serializer.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// The sending half of a link over a Mach kernel: messages go inline, large ones in fragments, or
/// out of line from the policy's threshold up.
template <class KernelT, class SendPolicy, std::size_t queue_bytes>
class LinkSender {
 public:
  using SendRight = typename KernelT::SendRight;
  using OolMethod = detail::OolMethod<KernelT, typename SendPolicy::method>;
  using Kind = MessageKind;

  static constexpr std::size_t fragment_bytes = fragment_bytes_of(queue_bytes);

  explicit LinkSender(SendRight out) : out_(std::move(out)) {}

  const SendRight& out() const { return out_; }

  /// Memory for a message that will be sent here.
  ///
  /// Errors: those of the system, and then any other memory will do.
  Result<Lease> allocate(std::size_t bytes) requires(OolMethod::exists) {
    if (bytes < SendPolicy::threshold_bytes) return PrivateMemory::create(bytes);
    return ool_method_.allocate(bytes);
  }

  /// What is under way out of line.
  std::size_t bytes_under_way() const requires(OolMethod::exists) {
    if constexpr (OolMethod::lends) {
      return ool_method_.bytes_out();
    } else if constexpr (requires { out_.bytes_under_way(); }) {
      return out_.bytes_under_way();
    } else {
      return 0;  // this kernel counts messages: see its queue's limit
    }
  }
  /// Whether so many bytes more stay within a bound; the first message always does.
  bool fits_under_way(std::size_t bytes, std::size_t bound) const requires(OolMethod::exists) {
    if constexpr (OolMethod::lends) {
      // If all that there is fits, and one more, what is out need not be known.
      const std::size_t mapped = ool_method_.pool_bytes();
      if (mapped <= bound && OolMethod::capacity_for(bytes) <= bound - mapped) return true;
    }
    const std::size_t under_way = bytes_under_way();
    return under_way == 0 || (bytes <= bound && under_way <= bound - bytes);
  }

  /// Beyond a bound what waits travels by itself, not out of line.
  void limit_under_way(std::size_t bound) requires(OolMethod::exists) { max_under_way_ = bound; }

  template <class Payload>
  [[gnu::always_inline]] inline Result<void> send(const Payload& payload, FrameQueue& queue) {
    // What is known from the type is decided here, and the other ways are not compiled at all.
    using Size = decltype(payload.size());
    constexpr std::size_t fixed = static_size<Size>;
    constexpr bool chosen = requires { payload.lease(); };
    if constexpr (fixed != SIZE_MAX && fixed < SendPolicy::threshold_bytes && !chosen) {
      if constexpr (fixed > fragment_bytes) return send_fragments(payload, queue);
    } else {
      if (chosen || payload.size() >= SendPolicy::threshold_bytes) [[unlikely]] {
        const auto sent = send_out_of_line(payload);
        if (!sent) return sent.error();
        if (*sent) return {};
      }
      if (payload.size() > fragment_bytes) [[unlikely]]
        return send_fragments(payload, queue);
    }
    return send_inline(payload, queue);
  }

  /// With rights, which travel as descriptors beside the first part of the message.
  template <class Payload>
  Result<void> send(const Payload& payload, FrameQueue& queue,
                    RightList& rights) requires MachKernelWithDescriptors<KernelT> {
    return send_queued(payload, queue, rights, [&] { return flush(queue); });
  }

  Result<void> flush(FrameQueue& queue) {
    std::size_t staged_bytes = 0;
    while (!queue.empty()) {
      const auto frame = queue.front();
      const std::span payload(frame.payload, frame.header.bytes);
      if (payload.size() >= SendPolicy::threshold_bytes && !frame.header.continued &&
          frame.header.rights == 0 && goes_out_of_line(payload.size())) {
        out_.publish();
        staged_bytes = 0;
        if (auto room = out_.reserve(sizeof(OolReference)); !room) return unless_full(room.error());
        const auto sent = send_out_of_line(Queued{frame.header.tag, payload});
        if (!sent) return sent.error();
        if (*sent) {
          queue.pop();
          continue;
        }
      }
      const std::size_t size = (min)(payload.size(), fragment_bytes);
      const bool last = size == payload.size();
      const Kind kind = !last                    ? Kind::fragment
                        : frame.header.continued ? Kind::last_fragment
                                                 : Kind::whole;
      if constexpr (MachKernelWithDescriptors<KernelT>) {
        if (frame.header.rights != 0) [[unlikely]] {
          out_.publish();
          staged_bytes = 0;
          const auto sent = send_rights(header(kind, frame.header.tag), payload.first(size), queue);
          if (!sent) return unless_full(sent.error());
          last ? queue.pop() : queue.advance(size);
          continue;
        }
      }
      const auto piece = copy_of(payload.first(size));
      if (auto sent = put(out_, header(kind, frame.header.tag, size), piece); !sent) {
        out_.publish();
        return unless_full(sent.error());
      }
      last ? queue.pop() : queue.advance(size);
      // Small messages are shown together; with large ones the receiver keeps step.
      staged_bytes += size;
      if (staged_bytes >= publish_bytes) {
        out_.publish();
        staged_bytes = 0;
      }
    }
    out_.publish();
    return {};
  }

  /// Asks for a wake-up when there is room for the oldest message. True when there is some.
  bool arm(const FrameQueue& queue) {
    return out_.arm((min)(queue.front().header.bytes, fragment_bytes));
  }
  Interest interest() const { return out_.interest(); }

  /// Only time tells when what waits can be sent.
  bool retries() const {
    if constexpr (requires { out_.retries(); }) {
      return out_.retries();
    } else {
      return false;
    }
  }

  void take_doorbells() { out_.take_doorbells(); }

  /// This end will not be packed: see `BasicMachTransport::detach`.
  void stay() {
    if constexpr (requires { out_.close_memory_file(); }) out_.close_memory_file();
  }

  /// For before a sleep: takes back memory that is not used any more.
  void evict_unused() {
    if constexpr (OolMethod::exists) ool_method_.evict_unused(out_, header(Kind::forget));
  }

  bool lends_memory() const {
    if constexpr (OolMethod::lends) {
      return !ool_method_.empty();
    } else {
      return false;
    }
  }

 private:
  /// A queued message, as a payload.
  struct Queued {
    static constexpr bool contiguous = true;
    std::uint16_t message_tag;
    std::span<const std::byte> payload;

    std::uint16_t tag() const { return message_tag; }
    std::size_t size() const { return payload.size(); }
    std::span<const std::byte> bytes() const { return payload; }
    void write_to(std::byte* out) const { copy_of(payload)(out); }
  };

  static constexpr Kind out_of_line_kind = OolMethod::lends ? Kind::loan : Kind::region;
  static constexpr std::size_t publish_bytes = std::size_t{4} << 10;
  static constexpr std::size_t copied_in_a_ns = 4;

  static MessageHeader header(Kind kind, std::uint16_t tag = 0, std::size_t bytes = 0) {
    return {static_cast<std::uint32_t>(bytes), tag, static_cast<std::uint8_t>(kind), 0};
  }

  /// Stages one inline message that `write(std::byte*)` writes.
  template <class Write>
  static Result<void> put(SendRight& out, const MessageHeader& header, const Write& write) {
    const auto room = out.reserve(header.bytes);
    if (!room) [[unlikely]]
      return room.error();
    write(*room);
    return out.stage(header);
  }
  static auto copy_of(std::span<const std::byte> bytes) {
    return [bytes](std::byte* out) {
      if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    };
  }

  static Result<void> unless_full(std::error_code error) {
    return error == Errc::would_block ? Result<void>() : error;
  }

  bool goes_out_of_line(std::size_t bytes) const {
    if constexpr (OolMethod::exists) {
      return fits_under_way(bytes, max_under_way_);
    } else {
      return false;
    }
  }

  /// Sends a message out of line: in the memory in which it lies, if that is of the right kind, or
  /// else as a copy. False when there is no room, no descriptor or no memory for it: the bytes have
  /// to travel by themselves.
  ///
  /// Errors: `peer_closed`.
  template <class Payload>
  Result<bool> send_out_of_line(const Payload& payload) {
    if constexpr (OolMethod::exists) {
      const MessageHeader announced = header(out_of_line_kind, payload.tag());
      Result<void> sent = Errc::unsupported;
      if constexpr (requires { payload.lease(); }) {
        sent = ool_method_.send(out_, announced, payload.lease(), payload.size(), payload.moved());
      }
      // Where there is no room for the memory itself, there is none for a copy.
      if (!sent && sent.error() != Errc::peer_closed && sent.error() != Errc::would_block &&
          payload.size() >= SendPolicy::threshold_bytes) {
        sent = ool_method_.send_copy(out_, announced, payload);
      }
      if (!sent && sent.error() == Errc::peer_closed) return sent.error();
      return sent.has_value();
    } else {
      return false;
    }
  }

  template <class Payload>
  [[gnu::always_inline]] inline Result<void> send_inline(const Payload& payload,
                                                         FrameQueue& queue) {
    const auto sent = out_.post(header(Kind::whole, payload.tag(), payload.size()),
                                [&](std::byte* out) { payload.write_to(out); });
    if (!sent) [[unlikely]]
      return sent.failed_with(Errc::would_block) ? enqueue(queue, payload) : sent;
    return {};
  }

  template <class Payload>
  Result<void> send_fragments(const Payload& payload, FrameQueue& queue) {
    std::span<const std::byte> rest;
    if constexpr (Payload::contiguous) {
      rest = payload.bytes();
      // From where it lies as far as it goes; only what finds no room is copied to the queue.
      SpinBudget budget(rest.size());
      while (rest.size() > fragment_bytes) {
        await_room(fragment_bytes, budget);
        const auto piece = copy_of(rest.first(fragment_bytes));
        if (auto sent = put(out_, header(Kind::fragment, payload.tag(), fragment_bytes), piece);
            !sent) {
          if (sent.error() == Errc::would_block) break;
          return sent;
        }
        out_.publish();
        rest = rest.subspan(fragment_bytes);
      }
      std::byte* out = queue.push(payload.tag(), rest.size(), rest.size() != payload.size());
      if (out == nullptr) {
        hang_up();  // the peer would wait for the rest: let it see the end instead
        return no_memory();
      }
      std::memcpy(out, rest.data(), rest.size());
    } else if (auto queued = enqueue(queue, payload); !queued) {
      return queued;
    }
    return flush(queue);
  }

  /// How long one `send` waits for room, in all: about as long as it would take to copy the message
  /// to the queue, from where it would be copied once more.
  class SpinBudget {
   public:
    explicit SpinBudget(std::size_t bytes) : left_(bytes / copied_in_a_ns) {
      if (left_ > longest) left_ = longest;
    }
    /// Calls `ready` until it says so, or the budget is spent.
    template <class Ready>
    void spin(Ready&& ready) {
      if (left_.count() <= 0) return;
      const auto start = Deadline::Clock::now();
      auto now = start;
      do {
        for (int i = 0; i != 64; ++i) {
          if (ready()) break;
          os::pause_processor();
        }
        now = Deadline::Clock::now();
      } while (!ready() && now - start < left_);
      left_ -= now - start;
    }

   private:
    static constexpr std::chrono::nanoseconds longest = std::chrono::microseconds{5000};

    std::chrono::nanoseconds left_;
  };

  /// Waits for a receiver that is reading now.
  void await_room(std::size_t bytes, SpinBudget& budget) {
    const auto ready = [&] { return out_.reserve(bytes).error() != Errc::would_block; };
    if (ready() || os::single_processor()) return;
    budget.spin(ready);
  }

  /// Sends the first part of the oldest message with the message's rights.
  Result<void> send_rights(const MessageHeader& header, std::span<const std::byte> part,
                           FrameQueue& queue) {
    std::array<NativeHandle, max_rights> descriptors;
    std::size_t count = 0;
    queue.rights().for_each(
        [&](const Right& right) { descriptors[count++] = right.descriptor.get(); },
        queue.front().header.rights);
    auto sent = out_.send(header, part, Slice<const NativeHandle>(descriptors).first(count));
    if (sent) give_up(queue.take_rights(count));
    return sent;
  }

  void hang_up() {
    if constexpr (requires { out_.hang_up(); }) {
      out_.hang_up();
    } else {
      out_ = SendRight();
    }
  }

  /// Of what was sent the receiver has its own by now, or will.
  void give_up(RightList sent) {
    if constexpr (requires { out_.keep(std::move(sent)); }) out_.keep(std::move(sent));
  }

  SendRight out_;
  std::size_t max_under_way_ = SIZE_MAX;
  [[no_unique_address]] OolMethod ool_method_;
};

}  // namespace strait::detail
