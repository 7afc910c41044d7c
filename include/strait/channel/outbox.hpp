#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/channel/waiting_frames.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/observer.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// What a channel is sending: messages for which there is no room yet wait here, in order and
/// within a bound, which counts what is under way out of line, too; or the last ones only. A
/// message is sent with the number of those of its type that may wait: `max_waiting`.
template <class TransportT, std::size_t max_queued_bytes, std::size_t max_waiting_in_all>
class Outbox {
  static_assert(max_waiting_in_all != 0, "strait: ChannelOptions::keep_last is one at least.");

 public:
  const FrameQueue& queue() const { return queue_; }
  bool empty() const { return queue_.empty(); }

  /// How many bytes wait, and are under way out of line.
  std::size_t bytes(const TransportT* link) const {
    return queue_.bytes() + (link == nullptr ? 0 : bytes_under_way(*link));
  }

  /// Whether the link takes a message of so many bytes out of line now. One that it does not take
  /// is what `has_room` is about from then on.
  bool admits(TransportT& link, std::size_t bytes) {
    if constexpr (goes_out_of_line) {
      if (bytes < TransportT::out_of_line_from) return true;
      if (link.fits_under_way(bytes, max_queued_bytes)) return true;
      wanted_bytes_ = bytes;
      return false;
    } else {
      return true;
    }
  }

  /// Whether what is under way leaves room for the message that found none.
  bool has_room(const TransportT& link) {
    if constexpr (goes_out_of_line) {
      if (wanted_bytes_ == 0) return true;
      if (!link.fits_under_way(wanted_bytes_, max_queued_bytes)) return false;
      wanted_bytes_ = 0;
    }
    return true;
  }

  /// Sends a message while nothing waits. What there is no room for waits then.
  ///
  /// Errors: those of the link.
  template <std::size_t max_waiting, class Payload, class... List>
  [[gnu::always_inline]] inline Result<void> send(TransportT& link, const Payload& payload,
                                                  List&... rights) {
    if constexpr (replaces<max_waiting>) {
      waiting_.clear();
      if (!waiting_.reserve()) return no_memory();
      const std::uint64_t position = queue_.end_position();
      auto sent = link.send(payload, queue_, rights...);
      if (sent && waits_whole(position)) waiting_.add(position, payload.tag());
      return sent;
    } else {
      return link.send(payload, queue_, rights...);
    }
  }

  /// Sends a message behind all that waits, or has it wait. Without a link it waits.
  ///
  /// Errors: `queue_full`, `not_enough_memory`, and the message and its rights are the caller's
  /// still; those of the link.
  template <std::size_t max_waiting, class Payload, class... List>
  Result<void> send_behind(TransportT* link, const Payload& payload, List&... rights) {
    if constexpr (replaces<max_waiting>) {
      wanted_bytes_ = 0;  // it is taken in any case
      return send_replacing<max_waiting>(link, payload, rights...);
    } else {
      if (link != nullptr && !admits(*link, payload.size())) return Errc::queue_full;
      return send_bounded(link, payload, rights...);
    }
  }

  /// Whether `send_behind` has left a message to wait where none did before; asked once.
  bool has_begun_to_wait() { return std::exchange(has_begun_to_wait_, false); }

  /// Tells an observer how many messages were replaced, if any were.
  template <class Observer>
  void tell_replaced(Observer& observer) {
    if (replaced_ != 0) observe_conflated(observer, std::exchange(replaced_, 0));
  }

  /// Sends what there is room for.
  Result<void> flush(TransportT& link) {
    if constexpr (requires { link.limit_under_way(max_queued_bytes); }) {
      link.limit_under_way(max_queued_bytes);
    }
    auto flushed = link.flush(queue_);
    bytes_after_flush_ = queue_.bytes();
    return flushed;
  }

  /// The same; whether that was something, or nothing can be sent any more.
  bool flush_some(TransportT& link) {
    const std::size_t before = queue_.bytes();
    return !flush(link) || queue_.bytes() != before;
  }

  void warm_up() { queue_.warm_up(); }
  void clear() { queue_.clear(); }

 private:
  static constexpr bool goes_out_of_line = requires(const TransportT& link) {
    link.bytes_under_way();
  };
  /// Whether such a message may replace one that waits, and is never refused for want of room.
  template <std::size_t max_waiting>
  static constexpr bool replaces = (min)(max_waiting, max_waiting_in_all) != SIZE_MAX;
  static constexpr std::size_t retry_bytes = std::size_t{16} << 10;

  template <class Payload, class... List>
  Result<void> send_bounded(TransportT* link, const Payload& payload, List&... rights) {
    const std::size_t needed = payload.size() + sizeof(FrameHeader);
    while (!queue_.empty() &&
           (needed > max_queued_bytes || bytes(link) > max_queued_bytes - needed)) {
      // There may be room that has not been noticed yet.
      const std::size_t before = queue_.bytes();
      if (link != nullptr) {
        if (auto flushed = link->flush(queue_); !flushed) return flushed;
      }
      if (queue_.bytes() == before) return Errc::queue_full;
    }
    if (auto queued = enqueue(queue_, payload, rights...); !queued) return queued;
    if (link == nullptr || !is_worth_a_flush()) return {};
    auto flushed = flush(*link);
    // Rights are gone with the queue, so this has succeeded; the next call tells what has happened.
    return sizeof...(rights) == 0 ? flushed : Result<void>();
  }

  /// As `send_bounded`, in the place of those that waited longest if there are too many.
  template <std::size_t max_waiting, class Payload, class... List>
  Result<void> send_replacing(TransportT* link, const Payload& payload, List&... rights) {
    // What there is room for now is not replaced.
    if (link != nullptr && !queue_.empty()) {
      if (auto flushed = flush(*link); !flushed) return flushed;
    }
    waiting_.forget_sent(queue_);
    if (!waiting_.reserve()) return no_memory();
    const bool is_first = queue_.empty();
    const std::uint64_t position = queue_.end_position();
    if (auto queued = enqueue(queue_, payload, rights...); !queued) return queued;
    waiting_.add(position, payload.tag());
    replaced_ += waiting_.drop_oldest(queue_, payload.tag(), max_waiting, max_waiting_in_all);
    if (link == nullptr || !is_first) return {};
    auto flushed = flush(*link);
    has_begun_to_wait_ = !queue_.empty();
    // As in `send_bounded`.
    return sizeof...(rights) == 0 ? flushed : Result<void>();
  }

  /// Whether a message that was sent waits for room from its first byte on.
  bool waits_whole(std::uint64_t position) const {
    return !queue_.empty() && queue_.waiting_position() == position &&
           queue_.front().header.continued == 0;
  }

  static std::size_t bytes_under_way(const TransportT& link) {
    if constexpr (goes_out_of_line) {
      return link.bytes_under_way();
    } else {
      return 0;
    }
  }

  /// Asking for room may be a system call, so the more wait the less often: when a third of what
  /// waits is new, or enough to go in one piece.
  bool is_worth_a_flush() const {
    const std::size_t waiting = queue_.bytes();
    return waiting < bytes_after_flush_ ||
           waiting - bytes_after_flush_ >= (min)(bytes_after_flush_ / 2, retry_bytes);
  }

  FrameQueue queue_;
  WaitingFrames waiting_;
  std::size_t replaced_ = 0;
  bool has_begun_to_wait_ = false;
  std::size_t wanted_bytes_ = 0;
  std::size_t bytes_after_flush_ = 0;
};

}  // namespace strait::detail
