#include <strait/mach/linux/ring.hpp>
#include <strait/mach/linux/ring_memory.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::MessageHeader;
using strait::linux_mach::Doorbell;
using strait::linux_mach::max_record_bytes;
using strait::linux_mach::RingControl;
using strait::linux_mach::RingMemory;
using strait::linux_mach::RingReader;
using strait::linux_mach::RingWriter;
using strait::os::Descriptor;

namespace {

constexpr std::size_t capacity = 4096;

/// The header word of a record of so many bytes, in whichever order these are kept.
std::uint64_t published_of(std::size_t bytes) {
  return strait::linux_mach::detail::pack({static_cast<std::uint32_t>(bytes), 0, 0, 0});
}

/// Both ends of one ring, each with a mapping of its own, as in two processes.
struct Ring {
  Ring() {
    writing = RingMemory::create(capacity, file).value();
    reading = RingMemory::adopt(file).value();
    writer = writing.writer();
    reader = reading.reader();
  }

  /// What a hostile side can get at.
  RingControl& control() { return *map<RingControl>(0); }
  std::uint64_t& word(std::size_t offset) {
    return *map<std::uint64_t>(strait::os::page_size() + offset % capacity);
  }

  bool write(std::size_t bytes, std::uint16_t tag = 0, std::uint8_t fill = 1) {
    const auto room = writer.reserve(bytes);
    if (!room) return false;
    std::memset(*room, fill, bytes);
    writer.stage({static_cast<std::uint32_t>(bytes), tag, 1, 0});
    return true;
  }

  Descriptor file;
  RingMemory writing, reading;
  RingWriter writer;
  RingReader reader;

 private:
  template <class T>
  T* map(std::size_t offset) {
    if (raw.size() == 0) {
      raw = strait::os::Mapping::map(strait::os::page_size() + capacity, PROT_READ | PROT_WRITE,
                                     MAP_SHARED, file.get())
                .value();
    }
    return reinterpret_cast<T*>(raw.data() + offset);
  }
  strait::os::Mapping raw;
};

struct Record {
  std::uint16_t tag;
  std::vector<std::byte> body;
};

}  // namespace

TEST_CASE("a fresh ring is empty", "[ring]") {
  Ring ring;
  CHECK_FALSE(ring.reader.readable());
  CHECK(ring.reader.peek().error() == Errc::empty);
  CHECK(ring.writer.max_bytes() == max_record_bytes(capacity));
}

TEST_CASE("a header keeps all of its fields", "[ring]") {
  for (const MessageHeader header : {MessageHeader{0, 0, 0, 0}, MessageHeader{1, 2, 3, 4},
                                     MessageHeader{0xffff'ffff, 0xffff, 0xff, 127}}) {
    const auto word = strait::linux_mach::detail::pack(header);
    CHECK((word & strait::linux_mach::detail::published_bit) != 0);
    const auto back = strait::linux_mach::detail::unpack(word);
    CHECK(back.bytes == header.bytes);
    CHECK(back.tag == header.tag);
    CHECK(back.kind == header.kind);
    CHECK(back.descriptors == header.descriptors);
  }
}

TEST_CASE("nothing shows before it is published, and then all of it", "[ring]") {
  Ring ring;
  for (std::uint16_t i = 0; i != 5; ++i) REQUIRE(ring.write(i, i));
  CHECK_FALSE(ring.reader.readable());
  CHECK(ring.writer.publish() == Doorbell::none);
  CHECK(ring.writer.publish() == Doorbell::none);  // nothing new
  for (std::uint16_t i = 0; i != 5; ++i) {
    const auto header = ring.reader.peek().value();
    CHECK(header.tag == i);
    CHECK(header.bytes == i);
    CHECK_FALSE(ring.reader.pop(header));
  }
  CHECK(ring.reader.peek().error() == Errc::empty);
}

TEST_CASE("reserving alone sends nothing, however often", "[ring]") {
  Ring ring;
  for (int i = 0; i != 10; ++i) REQUIRE(ring.writer.reserve(100));
  CHECK(ring.writer.publish() == Doorbell::none);
  CHECK_FALSE(ring.reader.readable());
}

TEST_CASE("a record of half the ring fits and one byte more never does", "[ring]") {
  Ring ring;
  const std::size_t most = ring.writer.max_bytes();
  CHECK(ring.writer.reserve(most + 1).error() == Errc::message_too_large);
  CHECK(ring.writer.reserve(SIZE_MAX).error() == Errc::message_too_large);
  // At every position in the ring, when the reader has read all that stands before it.
  for (std::size_t i = 0; i != 2 * capacity / 8; ++i) {
    REQUIRE(ring.write(most));
    static_cast<void>(ring.writer.publish());
    REQUIRE_FALSE(ring.reader.pop(ring.reader.peek().value()));
    REQUIRE(ring.write(0));
    static_cast<void>(ring.writer.publish());
    REQUIRE_FALSE(ring.reader.pop(ring.reader.peek().value()));
  }
}

TEST_CASE("a ring takes empty records until not one more header fits", "[ring]") {
  Ring ring;
  std::size_t count = 0;
  while (ring.write(0)) ++count;
  CHECK(count == capacity / 8 - 1);
  CHECK(ring.writer.reserve(0).error() == Errc::would_block);
  static_cast<void>(ring.writer.publish());
  for (std::size_t i = 0; i != count; ++i) {
    static_cast<void>(ring.reader.pop(ring.reader.peek().value()));
  }
  CHECK(ring.reader.peek().error() == Errc::empty);
  CHECK(ring.write(0));
}

TEST_CASE("a ring agrees with a simple queue, whatever the sizes and batches", "[ring]") {
  Ring ring;
  std::mt19937 random(3);
  std::deque<Record> staged;
  std::deque<Record> model;
  std::size_t refused = 0;
  for (int step = 0; step != 200'000; ++step) {
    const auto action = random() % 4;
    if (action < 2) {
      const std::size_t size =
          random() % 8 == 0 ? random() % (ring.writer.max_bytes() + 1) : random() % 100;
      const auto room = ring.writer.reserve(size);
      if (!room) {
        REQUIRE(room.error() == Errc::would_block);
        ++refused;
        continue;
      }
      Record record{static_cast<std::uint16_t>(random()), std::vector<std::byte>(size)};
      for (std::byte& b : record.body) b = static_cast<std::byte>(random());
      std::copy(record.body.begin(), record.body.end(), *room);
      ring.writer.stage({static_cast<std::uint32_t>(size), record.tag, 7, 0});
      staged.push_back(std::move(record));
    } else if (action == 2) {
      static_cast<void>(ring.writer.publish());
      std::move(staged.begin(), staged.end(), std::back_inserter(model));
      staged.clear();
    } else {
      const auto header = ring.reader.peek();
      REQUIRE(header.has_value() == !model.empty());
      if (!header) continue;
      const Record& wanted = model.front();
      if (header->bytes != wanted.body.size() || header->tag != wanted.tag || header->kind != 7 ||
          !std::equal(wanted.body.begin(), wanted.body.end(), ring.reader.body())) {
        FAIL("the record at step " << step << " differs");
      }
      static_cast<void>(ring.reader.pop(*header));
      model.pop_front();
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a reader that sleeps is rung for once, and only if it asked", "[ring]") {
  Ring ring;
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::none);
  CHECK(ring.reader.arm());  // there is something already
  CHECK(ring.reader.disarm() == false);
  static_cast<void>(ring.reader.pop(ring.reader.peek().value()));

  CHECK_FALSE(ring.reader.arm());
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::socket);
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::none);
  CHECK(ring.reader.disarm());  // the doorbell was rung

  static_cast<void>(ring.reader.pop(ring.reader.peek().value()));
  static_cast<void>(ring.reader.pop(ring.reader.peek().value()));
  CHECK_FALSE(ring.reader.arm());
  CHECK_FALSE(ring.reader.disarm());  // it was not
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::none);
}

TEST_CASE("a reader changes its mind about the doorbell unless it is rung already", "[ring]") {
  Ring ring;
  CHECK_FALSE(ring.reader.arm());
  CHECK(ring.reader.change_doorbell(Doorbell::socket, Doorbell::futex));
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::futex);
  CHECK_FALSE(ring.reader.change_doorbell(Doorbell::futex, Doorbell::socket));
  CHECK(ring.reader.disarm());

  static_cast<void>(ring.reader.pop(ring.reader.peek().value()));
  CHECK_FALSE(ring.reader.arm());
  CHECK(ring.reader.change_doorbell(Doorbell::socket, Doorbell::futex));
  CHECK(ring.reader.change_doorbell(Doorbell::futex, Doorbell::socket));
  REQUIRE(ring.write(8));
  CHECK(ring.writer.publish() == Doorbell::socket);
}

TEST_CASE("a writer that waits for room is rung for by the time that all is read", "[ring]") {
  Ring ring;
  std::mt19937 random(4);
  for (int round = 0; round != 2000; ++round) {
    std::size_t wanted = 0;
    do {
      wanted = random() % (ring.writer.max_bytes() + 1);
    } while (ring.write(wanted));
    static_cast<void>(ring.writer.publish());
    REQUIRE_FALSE(ring.writer.arm(wanted));
    bool rung = false;
    while (const auto header = ring.reader.peek()) rung = ring.reader.pop(*header) || rung;
    REQUIRE(rung);
    REQUIRE(ring.writer.reserve(wanted));
  }
}

TEST_CASE("a writer that arms when there is room need not wait", "[ring]") {
  Ring ring;
  CHECK(ring.writer.arm(ring.writer.max_bytes()));
}

TEST_CASE("a header that no writer makes is malformed", "[ring][hostile]") {
  const std::uint64_t published = strait::linux_mach::detail::published_bit;
  const std::uint64_t most = max_record_bytes(capacity);
  for (const std::uint64_t word : {std::uint64_t{1}, std::uint64_t{8} | std::uint64_t{1} << 48,
                                   published - 1, published_of(most + 1), published_of(0xffff'ffff),
                                   ~std::uint64_t{0}, published_of(0x8000'0000)}) {
    Ring ring;
    ring.word(0) = word;
    CAPTURE(word);
    CHECK(ring.reader.readable());
    CHECK(ring.reader.peek().error() == Errc::malformed);
    CHECK(ring.reader.peek().error() == Errc::malformed);
  }
}

TEST_CASE("a largest record at the ring's very end is read inside the mapping", "[ring][hostile]") {
  Ring ring;
  for (std::size_t i = 0; i != capacity / 8 - 1; ++i) {
    REQUIRE(ring.write(0));
    static_cast<void>(ring.writer.publish());
    static_cast<void>(ring.reader.pop(ring.reader.peek().value()));
  }
  ring.word(capacity - 8) = published_of(max_record_bytes(capacity));
  const auto header = ring.reader.peek().value();
  const std::vector<std::byte> copy(ring.reader.body(), ring.reader.body() + header.bytes);
  CHECK(copy.size() == max_record_bytes(capacity));
  static_cast<void>(ring.reader.pop(header));
}

TEST_CASE("a reader's index that can't be true is malformed and moves nothing", "[ring][hostile]") {
  for (const std::uint64_t wrong :
       {std::uint64_t{1} << 63, std::uint64_t{capacity} * 4, std::uint64_t{capacity} + 1}) {
    Ring ring;
    while (ring.write(100)) {
    }
    static_cast<void>(ring.writer.publish());
    ring.control().head.store(wrong);
    CAPTURE(wrong);
    CHECK(ring.writer.reserve(100).error() == Errc::malformed);
    CHECK(ring.writer.arm(100));  // no use in waiting
    CHECK(ring.writer.reserve(100).error() == Errc::malformed);
  }
}

TEST_CASE("a reader's index from before the beginning gives no room", "[ring][hostile]") {
  Ring ring;
  while (ring.write(100)) {
  }
  ring.control().head.store(~std::uint64_t{0});
  CHECK_FALSE(ring.writer.reserve(100));
  CHECK_FALSE(ring.writer.reserve(100));
}

TEST_CASE("a reader's index that goes back is malformed", "[ring][hostile]") {
  Ring ring;
  const auto fill = [&] {
    while (ring.write(100)) {
    }
    static_cast<void>(ring.writer.publish());
  };
  fill();
  while (const auto header = ring.reader.peek()) static_cast<void>(ring.reader.pop(*header));
  fill();
  ring.control().head.store(0);
  CHECK(ring.writer.reserve(2000).error() == Errc::malformed);
}

TEST_CASE("flags with any value ask for a doorbell and do no more", "[ring][hostile]") {
  Ring ring;
  ring.control().reader_asleep.store(0xffff'ffff);
  ring.control().writer_asleep.store(77);
  REQUIRE(ring.write(1500));
  CHECK(ring.writer.publish() != Doorbell::none);
  CHECK(ring.reader.pop(ring.reader.peek().value()));
  CHECK(ring.control().reader_asleep.load() == 0);
  CHECK(ring.control().writer_asleep.load() == 0);
}
