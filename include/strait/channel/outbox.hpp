#pragma once

#include <cstddef>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// What a channel is sending: messages for which there is no room yet wait here, in order and
/// within a bound, which counts what is under way out of line, too.
template <class TransportT, std::size_t max_queued_bytes>
class Outbox {
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
  template <class Payload, class... List>
  [[gnu::always_inline]] inline Result<void> send(TransportT& link, const Payload& payload,
                                                  List&... rights) {
    return link.send(payload, queue_, rights...);
  }

  /// Sends a message behind all that waits, or has it wait. Without a link it waits.
  ///
  /// Errors: `queue_full`, `not_enough_memory`, and the message and its rights are the caller's
  /// still; those of the link.
  template <class Payload, class... List>
  Result<void> send_behind(TransportT* link, const Payload& payload, List&... rights) {
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

  /// Sends what there is room for.
  Result<void> flush(TransportT& link) {
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
  static constexpr std::size_t retry_bytes = std::size_t{16} << 10;

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
  std::size_t wanted_bytes_ = 0;
  std::size_t bytes_after_flush_ = 0;
};

}  // namespace strait::detail
