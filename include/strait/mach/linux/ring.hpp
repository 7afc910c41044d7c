#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "strait/base/chrono.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/os/futex.hpp"
#include "strait/result.hpp"

namespace strait::linux_mach {

/// A bounded queue of records in memory that two processes share, with one writer and one reader.
///
/// A record is a header word and its body, contiguous because the ring is mapped twice in a row.
/// The header word is what publishes it: the reader looks at the word where the next record will
/// begin and finds zero until the writer has stored the header there, with everything before it. So
/// a small message costs the reader one cache line, not one for an index and one for the data.
///
/// Threat: the other side may write anything anywhere in the shared memory at any time. The writer
/// keeps its position to itself and checks the reader's; the reader reads each header once and
/// checks it. What a body holds is the business of its reader: copy it out first.

/// How a side that sleeps wants to be woken. Any other value, from a hostile peer, is `socket`.
enum class Doorbell : std::uint32_t { none, socket, futex };

/// The words that the two sides share, each on cache lines of its own (two: processors fetch
/// pairs).
struct RingControl {
  static constexpr std::size_t line_bytes = 128;

  /// How many bytes the reader has left behind. Written by the reader alone.
  alignas(line_bytes) std::atomic<std::uint64_t> head;
  /// Which `Doorbell` the reader wants for the next record. The writer takes it back to `none`.
  alignas(line_bytes) std::atomic<std::uint32_t> reader_asleep;
  /// 1: the writer wants a doorbell for the next room. The reader takes it back to 0.
  alignas(line_bytes) std::atomic<std::uint32_t> writer_asleep;
};
static_assert(offsetof(RingControl, head) == 0 && offsetof(RingControl, reader_asleep) == 128 &&
              offsetof(RingControl, writer_asleep) == 256 && sizeof(RingControl) == 384);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

namespace detail {

inline constexpr std::size_t word_bytes = 8;
inline constexpr std::uint64_t published_bit =
    std::bit_cast<std::uint64_t>(MessageHeader{0, 0, 0, 128});

constexpr std::size_t round_up(std::size_t bytes) {
  return (bytes + word_bytes - 1) & ~(word_bytes - 1);
}

// A header is one word as it lies in memory, and the top bit of its `descriptors` says that it is
// published.
static_assert(sizeof(MessageHeader) == word_bytes);

constexpr std::uint64_t pack(const MessageHeader& header) {
  return std::bit_cast<std::uint64_t>(header) | published_bit;
}

constexpr MessageHeader unpack(std::uint64_t word) {
  return std::bit_cast<MessageHeader>(word & ~published_bit);
}

inline std::atomic_ref<std::uint64_t> header_word(std::byte* at) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at));
}

}  // namespace detail

/// The largest body a ring of this capacity takes: half of it, so that a record always fits once
/// the reader has read all that stands before it.
constexpr std::size_t max_record_bytes(std::size_t capacity) {
  return capacity / 2 - 2 * detail::word_bytes;
}

/// The writing end. `data` is the ring, mapped twice in a row; `capacity` a power of two.
///
/// Threads: one at a time.
class RingWriter {
 public:
  RingWriter() = default;
  /// `position` is where the former writer of this ring was.
  RingWriter(RingControl* control, std::byte* data, std::size_t capacity, std::uint64_t position)
      : control_(control),
        data_(data),
        capacity_(capacity),
        tail_(position),
        seen_head_(position > capacity ? position - capacity : 0) {}

  std::uint64_t position() const { return tail_; }

  std::size_t max_bytes() const { return max_record_bytes(capacity_); }

  /// Up to where the reader says that it has read, as far as that is possible.
  std::uint64_t reader_position() const {
    // Partner: RingReader::release_space.
    const std::uint64_t head = control_->head.load(std::memory_order_acquire);
    return tail_ - head <= capacity_ && head >= seen_head_ ? head : seen_head_;
  }

  /// Room for the body of one record, to be written and then published or staged.
  ///
  /// Errors: `would_block` without room; `malformed` when the reader's index is impossible;
  /// `message_too_large` over `max_bytes()`.
  Result<std::byte*> reserve(std::size_t bytes) {
    if (bytes > max_bytes()) [[unlikely]]
      return Errc::message_too_large;
    // The word behind the record is needed, too: it must say that no record follows yet.
    const std::size_t needed = detail::round_up(bytes) + 2 * detail::word_bytes;
    if (capacity_ - (tail_ - seen_head_) < needed) [[unlikely]] {
      // Partner: RingReader::release_space. What the reader has read may be overwritten after this.
      const std::uint64_t head = control_->head.load(std::memory_order_acquire);
      // Unsigned: a head that runs ahead of the tail or falls behind by a lap is caught alike.
      if (tail_ - head > capacity_ || head < seen_head_) return Errc::malformed;
      seen_head_ = head;
      if (capacity_ - (tail_ - seen_head_) < needed) return Errc::would_block;
    }
    return at(tail_) + detail::word_bytes;
  }

  /// Ends the reserved record without showing it, so that several can be shown by one store.
  [[gnu::always_inline]] void stage(const MessageHeader& header) {
    const std::uint64_t next = tail_ + detail::word_bytes + detail::round_up(header.bytes);
    detail::header_word(at(next)).store(0, std::memory_order_relaxed);
    if (staged_word_ == 0) {
      staged_at_ = tail_;
      staged_word_ = detail::pack(header);
    } else {
      // Relaxed: the reader does not look here before the first staged header is published, with
      // release.
      detail::header_word(at(tail_)).store(detail::pack(header), std::memory_order_relaxed);
    }
    tail_ = next;
  }

  /// Shows all staged records. Says which doorbell the reader wants for that.
  [[nodiscard]] Doorbell publish() {
    if (staged_word_ == 0) return Doorbell::none;
    // Partner: RingReader::peek, whose acquire sees every byte written before this.
    detail::header_word(at(staged_at_)).store(staged_word_, std::memory_order_release);
    staged_word_ = 0;
    // Partner: RingReader::arm. Both sides change this one word, so one of them comes second and
    // sees what the other did before: the writer the wish for a doorbell, or the reader the record.
    return static_cast<Doorbell>(control_->reader_asleep.exchange(0, std::memory_order_acq_rel));
  }

  /// Wakes a reader that sleeps in `RingReader::sleep`.
  void ring_futex() { posix::futex_wake(control_->reader_asleep); }

  /// Asks for a doorbell when there is room for a record of `bytes`. True when there is already.
  bool arm(std::size_t bytes) {
    // Partner: RingReader::release_space, as publish() and RingReader::arm.
    control_->writer_asleep.exchange(1, std::memory_order_acq_rel);
    return reserve(bytes).error() != Errc::would_block;
  }

 private:
  std::byte* at(std::uint64_t position) const { return data_ + (position & (capacity_ - 1)); }

  RingControl* control_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t seen_head_ = 0;
  std::uint64_t staged_at_ = 0;
  std::uint64_t staged_word_ = 0;
};

/// The reading end.
///
/// Threads: one at a time.
class RingReader {
 public:
  RingReader() = default;
  /// `position` is where the former reader of this ring was, which has shown it.
  RingReader(RingControl* control, std::byte* data, std::size_t capacity, std::uint64_t position)
      : control_(control),
        data_(data),
        capacity_(capacity),
        head_(position),
        shown_head_(position) {}

  std::uint64_t position() const { return head_; }

  bool readable() const { return word() != 0; }

  /// The header of the next record.
  ///
  /// Errors: `empty`; `malformed` when the writer made no sense.
  Result<MessageHeader> peek() const {
    const std::uint64_t word = this->word();
    if (word == 0) return Errc::empty;
    const MessageHeader header = detail::unpack(word);
    if ((word & detail::published_bit) == 0 || header.bytes > max_record_bytes(capacity_)) {
      return Errc::malformed;
    }
    return header;
  }

  /// Where the body of the record that `peek` saw lies. The writer can change it at any time.
  const std::byte* body() const { return at(head_) + detail::word_bytes; }

  /// Steps over the record that `peek` saw. Its body may be overwritten from now on. True when
  /// that made room which the writer wants a doorbell for.
  [[nodiscard]] bool pop(const MessageHeader& header) {
    head_ += detail::word_bytes + detail::round_up(header.bytes);
    // An eighth is little enough: a writer that waits has half of the ring or more to wait for. But
    // of what came beside the ring the writer counts every piece.
    if (head_ - shown_head_ < capacity_ / 8 && header.descriptors == 0) return false;
    return release_space();
  }

  /// Gives the writer all the room there is. True when it wants a doorbell for that.
  [[nodiscard]] bool show_position() { return release_space(); }

  /// Asks for a doorbell by the socket with the next record. True when there is one already.
  bool arm() {
    // Partner: RingWriter::publish.
    control_->reader_asleep.exchange(word_of(Doorbell::socket), std::memory_order_acq_rel);
    return readable();
  }

  /// Asks for another doorbell than the one asked for before. False when that was or will be rung.
  bool change_doorbell(Doorbell from, Doorbell to) {
    std::uint32_t expected = word_of(from);
    // Partner: RingWriter::publish, and again the two of them change one word.
    return control_->reader_asleep.compare_exchange_strong(expected, word_of(to),
                                                           std::memory_order_acq_rel);
  }

  /// Sleeps until the futex that was asked for is rung, at most for `limit`. It may end early.
  void sleep(std::chrono::nanoseconds limit) {
    posix::futex_wait(control_->reader_asleep, word_of(Doorbell::futex), limit);
  }

  /// Takes the wish back. True when it had been granted: a doorbell was or will be rung.
  bool disarm() { return control_->reader_asleep.exchange(0, std::memory_order_acq_rel) == 0; }

 private:
  static constexpr std::uint32_t word_of(Doorbell doorbell) {
    return static_cast<std::uint32_t>(doorbell);
  }

  bool release_space() {
    shown_head_ = head_;
    // Partner: RingWriter::reserve. Every read of the bodies before comes first.
    control_->head.store(head_, std::memory_order_release);
    // Partner: RingWriter::arm.
    return control_->writer_asleep.exchange(0, std::memory_order_acq_rel) != 0;
  }

  std::uint64_t word() const {
    // Partner: RingWriter::publish.
    return detail::header_word(at(head_)).load(std::memory_order_acquire);
  }

  std::byte* at(std::uint64_t position) const { return data_ + (position & (capacity_ - 1)); }

  RingControl* control_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t shown_head_ = 0;
};

}  // namespace strait::linux_mach
