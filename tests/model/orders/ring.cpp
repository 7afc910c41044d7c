// The ring of mach/ring.hpp between two threads that sleep whenever they can: records come
// whole, once and in order, no thread sleeps through a doorbell, and what came beside a record is
// free again when the writer sees that it was read.

#include "strait/mach/linux/ring.hpp"

#include "model.hpp"

namespace {

using namespace strait::linux_mach;
using strait::Errc;
using strait::MessageHeader;

// Small, so that a few records are some laps and the writer has to wait.
constexpr std::size_t capacity = 64;
constexpr std::uint32_t body_bytes = 16;
constexpr unsigned records = 5;

std::byte ring[2 * capacity];

std::size_t place(const std::byte* at) {
  return static_cast<std::size_t>(at - ring) % capacity / 8;
}

struct RingModel : rl::test_suite<RingModel, 2> {
  static inline RingModel* current = nullptr;

  RingControl control;
  model::Atomic<std::uint64_t> words[capacity / 8];
  rl::var<unsigned> bodies[capacity / 8];
  rl::var<unsigned> beside[records];  // as a descriptor's place in the writer's table
  model::Bell room;
  model::Bell record;

  void before() {
    current = this;
    control.head.store(0, rl::mo_relaxed);
    control.reader_asleep.store(0, rl::mo_relaxed);
    control.writer_asleep.store(0, rl::mo_relaxed);
    for (auto& word : words) word.store(0, rl::mo_relaxed);
  }

  void thread(unsigned index) { index == 0 ? write() : read(); }

  void write() {
    RingWriter writer(&control, ring, capacity, 0);
    std::uint64_t ends[records];
    unsigned taken_back = 0;
    for (unsigned i = 0; i != records;) {
      beside[i]($) = i;
      bool sent = false;
      if (i == 0) {  // the first two by one publication
        for (; i != 2; ++i) {
          beside[i]($) = i;
          fill(writer.reserve(body_bytes).value(), i);
          writer.stage(MessageHeader{body_bytes, 0, 0, 0});
          ends[i] = writer.position();
        }
        if (writer.publish() != Doorbell::none) record.ring();
        sent = true;
      } else if (const auto wanted = writer.post(MessageHeader{body_bytes, 0, 0, 0},
                                                 [&](std::byte* body) { fill(body, i); })) {
        if (*wanted != Doorbell::none) record.ring();
        ends[i++] = writer.position();
        sent = true;
      } else {
        RL_ASSERT(wanted.error() == Errc::would_block);
      }
      // Not always: what is learned here would make up for an order that is missing elsewhere.
      if (rl::rand(4) == 0) {
        const std::uint64_t position = writer.reader_position();
        for (; taken_back != i && position >= ends[taken_back]; ++taken_back) {
          beside[taken_back]($) = records;
        }
      }
      if (!sent && !writer.arm(body_bytes)) room.wait();
    }
  }

  void fill(std::byte* body, unsigned i) {
    for (std::uint32_t at = 0; at != body_bytes; at += 8) {
      bodies[place(body + at)]($) = i;
      // Whatever a body has where a header will be is not one.
      words[place(body + at)].store(~std::uint64_t{0}, rl::mo_relaxed);
    }
  }

  void read() {
    RingReader reader(&control, ring, capacity, 0);
    for (unsigned i = 0; i != records;) {
      if (const auto header = reader.peek()) {
        RL_ASSERT(header->bytes == body_bytes);
        for (std::uint32_t at = 0; at != body_bytes; at += 8) {
          RL_ASSERT(bodies[place(reader.body() + at)]($) == i);
        }
        RL_ASSERT(beside[i]($) == i);
        if (reader.pop(*header)) room.ring();
        ++i;
      } else {
        RL_ASSERT(header.error() == Errc::empty);
        if (!reader.arm()) sleep(reader);
        static_cast<void>(reader.disarm());
      }
    }
  }

  // As ReceiveRight::wait in mach/linux/lane.hpp: a moment on the futex, then on the socket.
  void sleep(RingReader& reader) {
    if (rl::rand(2) == 0) {
      if (!reader.change_doorbell(Doorbell::socket, Doorbell::futex)) return;
      reader.sleep(std::chrono::nanoseconds(1));
      if (!reader.change_doorbell(Doorbell::futex, Doorbell::socket)) return;
    }
    record.wait();
  }
};

}  // namespace

model::Atomic<std::uint64_t>& model::word_at(std::byte* at) {
  return RingModel::current->words[place(at)];
}

int main() { return model::check<RingModel>(); }
