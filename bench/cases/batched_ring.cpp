#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "cases/cases.hpp"
#include "cases/landing.hpp"
#include "cases/pause.hpp"
#include "cases/ring_memory.hpp"
#include "harness/native.hpp"

// The floor for streams: a ring as in ring.cpp, but the writer says how far it is by a position on
// lines of its own, once for a number of records or when it is asked to flush. So a reader looks at
// no line that the writer is still writing to. A lone message costs it a line more.

namespace bench {

namespace {

constexpr std::size_t record_alignment = 8;
constexpr std::size_t header_bytes = sizeof(std::uint64_t);
constexpr std::size_t max_piece_bytes = 32 * 1024;
// Each side says how far it is once for this much.
constexpr std::size_t reader_step_bytes = ring_bytes / 8;
constexpr int writer_step_records = 32;
constexpr std::size_t writer_step_bytes = 16 * 1024;

// A record's word: the piece's bytes, whether more follow, and the whole message's bytes.
constexpr std::uint64_t more_bit = 1;
constexpr std::uint64_t piece_shift = 1;
constexpr std::uint64_t piece_mask = 0x7fff'ffff;
constexpr std::uint64_t whole_shift = 32;

constexpr std::size_t record_bytes(std::size_t piece) {
  return (header_bytes + piece + record_alignment - 1) & ~(record_alignment - 1);
}

class BatchWriter {
 public:
  explicit BatchWriter(RingMemory memory) : memory_(std::move(memory)) {}

  void write(std::span<const std::byte> message) {
    const std::uint64_t whole = message.size();
    do {
      const std::size_t piece = std::min(message.size(), max_piece_bytes);
      const bool more = piece < message.size();
      make_room(position_ + record_bytes(piece));
      std::memcpy(memory_.at(position_) + header_bytes, message.data(), piece);
      memory_.header(position_).store(
          (more ? more_bit : 0) | piece << piece_shift | whole << whole_shift,
          std::memory_order_relaxed);
      position_ += record_bytes(piece);
      message = message.subspan(piece);
      if (++records_ == writer_step_records || position_ - published_ >= writer_step_bytes) {
        publish();
      }
    } while (!message.empty());
  }

  void publish() {
    records_ = 0;
    published_ = position_;
    // Pairs with the reader's acquire: the records come first.
    memory_.writer_position().store(position_, std::memory_order_release);
  }

 private:
  void make_room(std::uint64_t end) {
    if (end - reader_position_ <= ring_bytes) return;
    publish();
    spin_until([&] {
      // Pairs with the reader's release: it has copied out all below.
      reader_position_ = memory_.reader_position().load(std::memory_order_acquire);
      return end - reader_position_ <= ring_bytes;
    });
  }

  RingMemory memory_;
  std::uint64_t position_ = 0;
  std::uint64_t published_ = 0;
  int records_ = 0;
  std::uint64_t reader_position_ = 0;
};

class BatchReader {
 public:
  explicit BatchReader(RingMemory memory) : memory_(std::move(memory)) {}

  std::span<const std::byte> read() {
    std::byte* landing = nullptr;
    std::size_t done = 0;
    for (;;) {
      if (position_ == writer_position_) {
        spin_until([&] {
          writer_position_ = memory_.writer_position().load(std::memory_order_acquire);
          return position_ != writer_position_;
        });
      }
      const std::uint64_t word = memory_.header(position_).load(std::memory_order_relaxed);
      const std::size_t piece = (word >> piece_shift) & piece_mask;
      if (landing == nullptr) landing = landing_.room_for(word >> whole_shift);
      std::memcpy(landing + done, memory_.at(position_) + header_bytes, piece);
      done += piece;
      position_ += record_bytes(piece);
      if (position_ - published_ >= reader_step_bytes) {
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
  std::uint64_t writer_position_ = 0;
};

class BatchLink {
 public:
  BatchLink(RingMemory in, RingMemory out) : reader_(std::move(in)), writer_(std::move(out)) {}

  void send(std::span<const std::byte> message) { writer_.write(message); }
  void flush() noexcept { writer_.publish(); }
  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    handle(reader_.read());
    return 1;
  }

 private:
  BatchReader reader_;
  BatchWriter writer_;
};

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  Descriptor file = shared_memory(2 * RingMemory::bytes);
  RingMemory there(file.get(), 0);
  RingMemory back(file.get(), RingMemory::bytes);
  invite({"", std::move(file)});
  return make_endpoint(BatchLink(std::move(back), std::move(there)));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  const DescriptorNumber file = invitation.descriptor.get();
  RingMemory there(file, 0);
  RingMemory back(file, RingMemory::bytes);
  return make_endpoint(BatchLink(std::move(there), std::move(back)));
}

}  // namespace

Case batched_ring_case() {
  return {"ring-batched", "the same, told of by a position for each 32 messages: for streams", host,
          join};
}

}  // namespace bench
