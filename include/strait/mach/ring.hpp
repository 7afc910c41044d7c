#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/min_max.hpp"
#include "strait/config.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/os/mapping.hpp"
#include "strait/result.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/os/futex.hpp"
#endif

namespace strait::mach_ring {

using strait::detail::Atomic;
using strait::detail::MemoryOrder;

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
  alignas(line_bytes) Atomic<std::uint64_t> head;
  /// Which `Doorbell` the reader wants for the next record. The writer takes it back to `none`.
  alignas(line_bytes) Atomic<std::uint32_t> reader_asleep;
  /// 1: the writer wants a doorbell for the next room. The reader takes it back to 0.
  alignas(line_bytes) Atomic<std::uint32_t> writer_asleep;
};
static_assert(offsetof(RingControl, head) == 0 && offsetof(RingControl, reader_asleep) == 128 &&
              offsetof(RingControl, writer_asleep) == 256 && sizeof(RingControl) == 384);

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

inline Atomic<std::uint64_t>& header_word(std::byte* at) {
  return *reinterpret_cast<Atomic<std::uint64_t>*>(at);
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
        mask_(capacity - 1),
        max_bytes_(max_record_bytes(capacity)),
        tail_(position),
        seen_head_(position > capacity ? position - capacity : 0),
        room_(capacity - static_cast<std::size_t>(tail_ - seen_head_)) {}

  /// Has the system bring the ring's pages in as the first lap comes to them, a step at a time: a
  /// ring that is not used costs none, and one that is used no page fault for each.
  void populate_in_steps() {
    populated_ = tail_;
    lap_end_ = tail_ + mask_ + 1;
    room_ = 0;
  }

  std::uint64_t position() const { return tail_; }

  std::size_t max_bytes() const { return max_bytes_; }

  /// Up to where the reader says that it has read, as far as that is possible.
  std::uint64_t reader_position() const {
    // Partner: RingReader::release_space.
    const std::uint64_t head = control_->head.load(MemoryOrder::acquire);
    return is_possible(head) ? head : seen_head_;
  }

  /// Room for the body of one record, to be written and then published or staged.
  ///
  ///
  /// Errors: `would_block` without room; `malformed` when the reader's index is impossible;
  /// `message_too_large` over `max_bytes()`.
  Result<std::byte*> reserve(std::size_t bytes) {
    if (bytes > max_bytes_) [[unlikely]]
      return Errc::message_too_large;
    // The word behind the record is needed, too: it must say that no record follows yet.
    const std::size_t needed = detail::round_up(bytes) + 2 * detail::word_bytes;
    if (room_ < needed) [[unlikely]] {
      if (auto seen = see_reader(needed); !seen) return seen.error();
      if (room_ < needed) return Errc::would_block;
    }
    return at(tail_) + detail::word_bytes;
  }

  /// Reserves, has `write(std::byte*)` write the body, ends the record and shows it, when none is
  /// staged. Gives the doorbell that the reader wants for that. Errors: as `reserve`.
  template <class Write>
  [[gnu::always_inline]] inline Result<Doorbell> post(const MessageHeader& header, Write&& write) {
    const auto body = reserve(header.bytes);
    if (!body) [[unlikely]]
      return body.error();
    std::byte* const record = *body - detail::word_bytes;
    write(*body);
    step_over(record, header);
    return show(record, detail::pack(header));
  }

  /// Ends the reserved record without showing it, so that several can be shown by one store.
  [[gnu::always_inline]] void stage(const MessageHeader& header) {
    std::byte* const record = at(tail_);
    step_over(record, header);
    if (staged_word_ == 0) {
      staged_ = record;
      staged_word_ = detail::pack(header);
    } else {
      // Relaxed: the reader does not look here before the first staged header is published, with
      // release.
      detail::header_word(record).store(detail::pack(header), MemoryOrder::relaxed);
    }
  }

  /// Shows all staged records. Says which doorbell the reader wants for that.
  [[nodiscard]] Doorbell publish() {
    if (staged_word_ == 0) return Doorbell::none;
    return show(staged_, std::exchange(staged_word_, 0));
  }

#if !STRAIT_HAS_WINDOWS  // where no word of memory wakes another process
  /// Wakes a reader that sleeps in `RingReader::sleep`.
  void ring_futex() { os::futex_wake(control_->reader_asleep); }
#endif

  /// Asks for a doorbell when there is room for a record of `bytes`. True when there is already.
  bool arm(std::size_t bytes) {
    // Partner: RingReader::release_space, as publish() and RingReader::arm.
    control_->writer_asleep.exchange(1, MemoryOrder::acquire);
    return reserve(bytes).error() != Errc::would_block;
  }

 private:
  /// Steps over the reserved record, and says behind it that no record follows yet.
  void step_over(std::byte* record, const MessageHeader& header) {
    const std::size_t size = detail::word_bytes + detail::round_up(header.bytes);
    // The ring is mapped twice in a row, so this is its place also behind the end.
    detail::header_word(record + size).store(0, MemoryOrder::relaxed);
    tail_ += size;
    room_ -= size;
  }

  Doorbell show(std::byte* record, std::uint64_t word) {
    // Partner: RingReader::peek, whose acquire sees every byte written before this.
    detail::header_word(record).store(word, MemoryOrder::release);
    // Partner: RingReader::arm. Both sides change this one word, so one of them comes second and
    // sees what the other did before: the writer the wish for a doorbell, or the reader the record.
    return static_cast<Doorbell>(control_->reader_asleep.exchange(0, MemoryOrder::release));
  }

  /// Learns how much the reader has left behind, and has memory brought in for a record of
  /// `needed`.
  ///
  /// Errors: `malformed`.
  [[gnu::noinline]] Result<void> see_reader(std::size_t needed) {
    // Partner: RingReader::release_space. What the reader has read may be overwritten after this.
    const std::uint64_t head = control_->head.load(MemoryOrder::acquire);
    if (!is_possible(head)) return Errc::malformed;
    seen_head_ = head;
    room_ = static_cast<std::size_t>(mask_ + 1 - (tail_ - head));
    if (populated_ != lap_end_) populate(needed);
    return {};
  }

  /// The first lap's room ends where its pages do; more are brought in for a record that finds room
  /// there.
  void populate(std::size_t needed) {
    using strait::detail::max, strait::detail::min;
    while (room_ >= needed && populated_ - tail_ < needed && populated_ != lap_end_) {
      const auto populated = static_cast<std::size_t>(populated_ - (lap_end_ - mask_ - 1));
      const std::size_t step = (max)(min_step, (min)(populated, max_step));
      const std::size_t size = (min)(step, static_cast<std::size_t>(lap_end_ - populated_));
      os::Mapping::bring_in(at(populated_), size);
      populated_ += size;
    }
    if (populated_ != lap_end_) room_ = (min)(room_, static_cast<std::size_t>(populated_ - tail_));
  }

  /// Unsigned: a head that runs ahead of the tail or falls behind by a lap is caught alike.
  bool is_possible(std::uint64_t head) const {
    return tail_ - head <= mask_ + 1 && head >= seen_head_;
  }

  std::byte* at(std::uint64_t position) const { return data_ + (position & mask_); }

  static constexpr std::size_t min_step = std::size_t{4} << 10;
  static constexpr std::size_t max_step = std::size_t{256} << 10;

  RingControl* control_ = nullptr;
  std::byte* data_ = nullptr;
  /// One less than the capacity.
  std::uint64_t mask_ = 0;
  std::size_t max_bytes_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t seen_head_ = 0;
  /// From the tail to what the reader was seen to have not read.
  std::size_t room_ = 0;
  std::byte* staged_ = nullptr;
  std::uint64_t staged_word_ = 0;
  /// Up to where the pages were brought in, and up to where they will be; alike when all were.
  std::uint64_t populated_ = 0;
  std::uint64_t lap_end_ = 0;
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
        mask_(capacity - 1),
        max_bytes_(max_record_bytes(capacity)),
        head_(position),
        next_(at(position)),
        show_at_(position + capacity / 8) {}

  std::uint64_t position() const { return head_; }

  bool readable() const { return word() != 0; }

  /// The header of the next record.
  ///
  /// Errors: `empty`; `malformed` when the writer made no sense.
  Result<MessageHeader> peek() const {
    const std::uint64_t word = this->word();
    if ((word & detail::published_bit) == 0) return word == 0 ? Errc::empty : Errc::malformed;
    const MessageHeader header = detail::unpack(word);
    if (header.bytes > max_bytes_) [[unlikely]]
      return Errc::malformed;
    return header;
  }

  /// Where the body of the record that `peek` saw lies. The writer can change it at any time.
  const std::byte* body() const { return next_ + detail::word_bytes; }

  /// Steps over the record that `peek` saw. Its body may be overwritten from now on. True when
  /// that made room which the writer wants a doorbell for.
  [[nodiscard]] bool pop(const MessageHeader& header) {
    const std::size_t size = detail::word_bytes + detail::round_up(header.bytes);
    head_ += size;
    next_ = at(head_);
    // Of what came beside the ring the writer counts every piece.
    if (static_cast<std::int64_t>(head_ - show_at_) < 0 && header.descriptors == 0) [[likely]]
      return false;
    return release_space();
  }

  /// Gives the writer all the room there is. True when it wants a doorbell for that.
  [[nodiscard]] bool show_position() { return release_space(); }

  /// Asks for a doorbell by the socket with the next record. True when there is one already.
  bool arm() {
    // Partner: RingWriter::publish.
    control_->reader_asleep.exchange(word_of(Doorbell::socket), MemoryOrder::acquire);
    return readable();
  }

  /// Asks for another doorbell than the one asked for before. False when that was or will be rung.
  bool change_doorbell(Doorbell from, Doorbell to) {
    std::uint32_t expected = word_of(from);
    // Relaxed: nothing is read on account of it. What was rung for is seen by the next arm().
    return control_->reader_asleep.compare_exchange_strong(expected, word_of(to),
                                                           MemoryOrder::relaxed);
  }

#if !STRAIT_HAS_WINDOWS
  /// Sleeps until the futex that was asked for is rung, at most for `limit`. It may end early.
  void sleep(std::chrono::nanoseconds limit) {
    os::futex_wait(control_->reader_asleep, word_of(Doorbell::futex), limit);
  }
#endif

  /// Takes the wish back. True when it had been granted: a doorbell was or will be rung.
  bool disarm() {
    // Relaxed: as in change_doorbell().
    return control_->reader_asleep.exchange(0, MemoryOrder::relaxed) == 0;
  }

 private:
  static constexpr std::uint32_t word_of(Doorbell doorbell) {
    return static_cast<std::uint32_t>(doorbell);
  }

  [[gnu::noinline]] bool release_space() {
    // An eighth is little enough: a writer that waits has half of the ring or more to wait for.
    show_at_ = head_ + mask_ / 8 + 1;
    // Partner: RingWriter::reserve. Every read of the bodies before comes first.
    control_->head.store(head_, MemoryOrder::release);
    // Partner: RingWriter::arm.
    return control_->writer_asleep.exchange(0, MemoryOrder::release) != 0;
  }

  std::uint64_t word() const {
    // Partner: RingWriter::publish.
    return detail::header_word(next_).load(MemoryOrder::acquire);
  }

  std::byte* at(std::uint64_t position) const { return data_ + (position & mask_); }

  RingControl* control_ = nullptr;
  std::byte* data_ = nullptr;
  /// One less than the capacity.
  std::uint64_t mask_ = 0;
  std::size_t max_bytes_ = 0;
  std::uint64_t head_ = 0;
  /// Where that is.
  std::byte* next_ = nullptr;
  /// From where on the writer is shown the head.
  std::uint64_t show_at_ = 0;
};

}  // namespace strait::mach_ring
