#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "cases/cases.hpp"
#include "cases/landing.hpp"
#include "cases/pause.hpp"
#include "cases/ring_memory.hpp"
#include "harness/native.hpp"

// The floor: what two processes that trust each other and never sleep can do with shared memory. A
// ring of records of any size, each in one piece because the ring is mapped twice in a row; or, for
// comparison (`ring-padded`), because a record that does not fit before the end begins anew at the
// front.
//
// A record starts with a word that is zero until the record is complete. A reader polls the word at
// its own position and finds the message right behind it: no index to fetch from another cache
// line. The writer makes the next record's word zero before it completes this one's.
//
// Sizes and alignment are the best of those tried, see README.md.

namespace bench {

namespace {

constexpr std::size_t record_alignment = 8;
constexpr std::size_t header_bytes = sizeof(std::uint64_t);
// Larger messages travel in pieces, which the reader takes out while the writer puts in the next.
constexpr std::size_t max_piece_bytes = 32 * 1024;
// The reader says how far it is once for this many bytes, which leaves room for a whole piece
// always.
constexpr std::size_t publish_bytes = ring_bytes / 8;
static_assert(max_piece_bytes + publish_bytes + 2 * record_alignment < ring_bytes);

// A record's word: complete, more to follow, nothing but padding up to the ring's end, this piece's
// bytes, and the whole message's bytes.
constexpr std::uint64_t complete_bit = 1;
constexpr std::uint64_t more_bit = 2;
constexpr std::uint64_t padding_bit = 4;
constexpr std::uint64_t piece_shift = 3;
constexpr std::uint64_t piece_mask = 0x1fff'ffff;
constexpr std::uint64_t whole_shift = 32;

constexpr std::size_t record_bytes(std::size_t piece) noexcept {
  return (header_bytes + piece + record_alignment - 1) & ~(record_alignment - 1);
}

enum class Wrap { mapped_twice, padded };

constexpr std::uint64_t up_to_end(std::uint64_t position) noexcept {
  return ring_bytes - (position & (ring_bytes - 1));
}

template <Wrap wrap>
class RingWriter {
 public:
  explicit RingWriter(RingMemory memory) : memory_(std::move(memory)) {}

  void write(std::span<const std::byte> message) {
    const std::uint64_t whole = message.size();
    do {
      const std::size_t piece = std::min(message.size(), max_piece_bytes);
      const bool more = piece < message.size();
      if (wrap == Wrap::padded && record_bytes(piece) > up_to_end(position_)) pad();
      const std::uint64_t next = position_ + record_bytes(piece);
      make_room(next + header_bytes);
      std::memcpy(memory_.at(position_) + header_bytes, message.data(), piece);
      memory_.header(next).store(0, std::memory_order_relaxed);
      // Pairs with the reader's acquire: the piece and the next record's zero come first.
      memory_.header(position_).store(
          complete_bit | (more ? more_bit : 0) | piece << piece_shift | whole << whole_shift,
          std::memory_order_release);
      position_ = next;
      message = message.subspan(piece);
    } while (!message.empty());
  }

 private:
  void pad() {
    const std::uint64_t next = position_ + up_to_end(position_);
    make_room(next + header_bytes);
    memory_.header(next).store(0, std::memory_order_relaxed);
    memory_.header(position_).store(complete_bit | padding_bit, std::memory_order_release);
    position_ = next;
  }

  void make_room(std::uint64_t end) {
    if (end - reader_position_ <= ring_bytes) return;
    spin_until([&] {
      // Pairs with the reader's release: it has copied out all below.
      reader_position_ = memory_.reader_position().load(std::memory_order_acquire);
      return end - reader_position_ <= ring_bytes;
    });
  }

  RingMemory memory_;
  std::uint64_t position_ = 0;
  std::uint64_t reader_position_ = 0;
};

template <Wrap wrap>
class RingReader {
 public:
  explicit RingReader(RingMemory memory) : memory_(std::move(memory)) {}

  std::span<const std::byte> read() {
    std::byte* landing = nullptr;
    std::size_t done = 0;
    for (;;) {
      std::uint64_t word = 0;
      spin_until([&] {
        word = memory_.header(position_).load(std::memory_order_acquire);
        return word != 0;
      });
      if (wrap == Wrap::padded && (word & padding_bit) != 0) {
        position_ += up_to_end(position_);
        continue;
      }
      const std::size_t piece = (word >> piece_shift) & piece_mask;
      if (landing == nullptr) landing = landing_.room_for(word >> whole_shift);
      std::memcpy(landing + done, memory_.at(position_) + header_bytes, piece);
      done += piece;
      position_ += record_bytes(piece);
      if (position_ - published_ >= publish_bytes) {
        memory_.reader_position().store(position_, std::memory_order_release);
        published_ = position_;
      }
      if ((word & more_bit) == 0) return {landing, done};
    }
  }

 private:
  RingMemory memory_;
  Landing landing_;
  std::uint64_t position_ = 0;
  std::uint64_t published_ = 0;
};

template <Wrap wrap>
class RingLink {
 public:
  RingLink(RingMemory in, RingMemory out) : reader_(std::move(in)), writer_(std::move(out)) {}

  void send(std::span<const std::byte> message) { writer_.write(message); }
  void flush() noexcept {}
  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    handle(reader_.read());
    return 1;
  }

 private:
  RingReader<wrap> reader_;
  RingWriter<wrap> writer_;
};

template <Wrap wrap>
std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  Descriptor file = shared_memory(2 * RingMemory::bytes);
  RingMemory there(file.get(), 0);
  RingMemory back(file.get(), RingMemory::bytes);
  invite({"", std::move(file)});
  return make_endpoint(RingLink<wrap>(std::move(back), std::move(there)));
}

template <Wrap wrap>
std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  const DescriptorNumber file = invitation.descriptor.get();
  RingMemory there(file, 0);
  RingMemory back(file, RingMemory::bytes);
  return make_endpoint(RingLink<wrap>(std::move(there), std::move(back)));
}

}  // namespace

Case ring_case() {
  return {"ring", "a bare ring in shared memory, spinning: the floor", host<Wrap::mapped_twice>,
          join<Wrap::mapped_twice>};
}

Case padded_ring_case() {
  return {"ring-padded", "the same, mapped once: padding before the end instead",
          host<Wrap::padded>, join<Wrap::padded>};
}

}  // namespace bench
