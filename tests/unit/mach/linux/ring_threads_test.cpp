// The ring with a thread at each end: for ThreadSanitizer, and for lost wake-ups.

#include <strait/mach/linux/ring_memory.hpp>
#include <strait/os/poll.hpp>
#include <strait/os/posix/processor.hpp>

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "support/catch.hpp"

using strait::MessageHeader;
using strait::linux_mach::Doorbell;
using strait::linux_mach::RingMemory;
using strait::linux_mach::RingReader;
using strait::linux_mach::RingWriter;
using strait::os::Descriptor;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool slowed = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool slowed = true;
#else
constexpr bool slowed = false;
#endif
#else
constexpr bool slowed = false;
#endif

/// One ring with both ends in one mapping, as that is all that ThreadSanitizer can follow.
struct SharedRing {
  explicit SharedRing(std::size_t capacity)
      : memory(RingMemory::create(capacity, file).value()),
        writer(memory.writer()),
        reader(memory.reader()) {}

  Descriptor file;
  RingMemory memory;
  RingWriter writer;
  RingReader reader;
};

/// A bell that can be waited for with a limit: longer than any honest wait.
class Bell {
 public:
  void ring() { ::eventfd_write(event_.get(), 1); }
  bool wait() {
    pollfd descriptor{event_.get(), POLLIN, 0};
    if (::poll(&descriptor, 1, 30'000) != 1) return false;
    clear();
    return true;
  }
  void clear() {
    eventfd_t count;
    ::eventfd_read(event_.get(), &count);
  }

 private:
  Descriptor event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

/// A body that says in each of its bytes which record it belongs to.
std::size_t size_of(std::uint64_t number, std::size_t most) {
  return static_cast<std::size_t>(8 + (number * 2'654'435'761U >> 7) % (most - 7));
}
void fill(std::byte* out, std::uint64_t number, std::size_t size) {
  std::memset(out, static_cast<int>(number & 255), size);
  std::memcpy(out, &number, sizeof number);
}
bool good(const std::byte* body, std::uint64_t number, std::size_t size) {
  std::uint64_t got;
  std::memcpy(&got, body, sizeof got);
  if (got != number) return false;
  for (std::size_t i = sizeof got; i < size; ++i) {
    if (body[i] != static_cast<std::byte>(number & 255)) return false;
  }
  return true;
}

/// Sleeps as a lane does: on the futex first or for a moment, then on the bell. False if that was
/// for too long.
bool sleep(RingReader& reader, Bell& bell, std::mt19937& random) {
  constexpr std::chrono::nanoseconds limit = std::chrono::seconds{30};
  const auto kind = random() % 4;
  if (kind != 0 && reader.change_doorbell(Doorbell::socket, Doorbell::futex)) {
    const auto before = std::chrono::steady_clock::now();
    reader.sleep(kind == 1 ? std::chrono::nanoseconds{random() % 50'000} : limit);
    if (std::chrono::steady_clock::now() - before >= limit) return false;
    if (!reader.change_doorbell(Doorbell::futex, Doorbell::socket)) return true;
  }
  return bell.wait();
}

void delay(std::mt19937& random) {
  // Mostly none; else a while of spinning, or the other thread's turn.
  const auto kind = random() % 64;
  if (kind == 0) {
    std::this_thread::yield();
  } else if (kind < 8) {
    for (auto i = random() % 2000; i != 0; --i) strait::os::pause_processor();
  }
}

}  // namespace

TEST_CASE("two threads pass millions of records through a ring, each whole and in its turn",
          "[ring][threads][slow]") {
  SharedRing ring(16384);
  const std::uint64_t count = slowed ? 300'000 : 3'000'000;
  std::thread producer([&] {
    for (std::uint64_t number = 0; number != count; ++number) {
      const std::size_t size = size_of(number, 64);
      auto room = ring.writer.reserve(size);
      while (!room) {
        static_cast<void>(ring.writer.publish());
        std::this_thread::yield();
        room = ring.writer.reserve(size);
      }
      fill(*room, number, size);
      ring.writer.stage({static_cast<std::uint32_t>(size), 0, 1, 0});
      // Some alone, some in batches.
      if (number % 7 != 0 || number + 1 == count) static_cast<void>(ring.writer.publish());
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t number = 0; number != count; ++number) {
    auto header = ring.reader.peek();
    while (!header) {
      std::this_thread::yield();
      header = ring.reader.peek();
    }
    const std::size_t size = size_of(number, 64);
    if (header->bytes != size || !good(ring.reader.body(), number, size)) ++wrong;
    static_cast<void>(ring.reader.pop(*header));
  }
  producer.join();
  CHECK(wrong == 0);
  CHECK_FALSE(ring.reader.readable());
}

TEST_CASE("no wake-up is lost between two threads that sleep whenever they can",
          "[ring][threads][slow]") {
  // A small ring and large records, so that both sides sleep all the time; a lost wake-up leaves
  // both asleep, which the doorbell's limit turns into a failure.
  for (const std::size_t most : {std::size_t{16}, std::size_t{2000}}) {
    SharedRing ring(4096);
    Bell for_reader;
    Bell for_writer;
    std::atomic<bool> writer_lost = false;
    const std::uint64_t count = slowed ? 20'000 : 100'000;
    std::thread producer([&] {
      std::mt19937 random(5);
      for (std::uint64_t number = 0; number != count; ++number) {
        delay(random);
        const std::size_t size = size_of(number, most);
        auto room = ring.writer.reserve(size);
        while (!room) {
          if (!ring.writer.arm(size) && !for_writer.wait()) {
            writer_lost = true;
            return;
          }
          room = ring.writer.reserve(size);
        }
        fill(*room, number, size);
        ring.writer.stage({static_cast<std::uint32_t>(size), 0, 1, 0});
        const Doorbell wanted = ring.writer.publish();
        if (wanted == Doorbell::futex) ring.writer.ring_futex();
        if (wanted == Doorbell::socket) for_reader.ring();
      }
    });
    std::mt19937 random(6);
    std::uint64_t wrong = 0;
    bool reader_lost = false;
    for (std::uint64_t number = 0; number != count && !reader_lost; ++number) {
      delay(random);
      auto header = ring.reader.peek();
      while (!header && !reader_lost) {
        if (!ring.reader.arm()) {
          reader_lost = !sleep(ring.reader, for_reader, random);
        } else if (ring.reader.disarm()) {
          for_reader.clear();
        }
        header = ring.reader.peek();
      }
      if (reader_lost) break;
      const std::size_t size = size_of(number, most);
      if (header->bytes != size || !good(ring.reader.body(), number, size)) ++wrong;
      if (ring.reader.pop(*header)) for_writer.ring();
    }
    producer.join();
    CAPTURE(most);
    CHECK_FALSE(writer_lost);
    CHECK_FALSE(reader_lost);
    CHECK(wrong == 0);
  }
}

TEST_CASE("a reader survives a writer that scribbles all over the ring",
          "[ring][threads][hostile][no-tsan]") {
  constexpr std::size_t capacity = 4096;
  Descriptor file;
  auto memory = RingMemory::create(capacity, file).value();
  auto reader = memory.reader();
  std::atomic<bool> stop = false;
  std::thread scribbler([&] {
    const auto raw = strait::os::Mapping::map(strait::os::page_size() + capacity,
                                              PROT_READ | PROT_WRITE, MAP_SHARED, file.get())
                         .value();
    std::mt19937_64 random(7);
    while (!stop.load(std::memory_order_relaxed)) {
      auto* words = reinterpret_cast<std::uint64_t*>(raw.data() + strait::os::page_size());
      const auto length = static_cast<std::uint32_t>(random() % 2040);
      words[random() % (capacity / 8)] =
          random() % 4 == 0 ? random() : strait::linux_mach::detail::pack({length, 0, 0, 0});
    }
  });
  unsigned sum = 0;
  std::size_t records = 0;
  // By time, not by looks: the other thread may not have begun after millions of them.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (records != 100'000 && std::chrono::steady_clock::now() < end) {
    const auto header = reader.peek();
    if (!header) {
      // Malformed: a channel would end here; go on with another reader.
      if (header.error() != strait::Errc::empty) reader = memory.reader();
      continue;
    }
    for (std::size_t j = 0; j < header->bytes; j += 256) {
      sum += std::to_integer<unsigned>(reader.body()[j]);
    }
    static_cast<void>(reader.pop(*header));
    ++records;
  }
  stop = true;
  scribbler.join();
  CHECK(sum + records > 0);
}
