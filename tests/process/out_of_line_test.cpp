// Large messages between two processes: neither ever sees what the other writes later, and all
// sizes mixed both ways.

#include <atomic>
#include <cstring>
#include <thread>

#include "process/peers.hpp"
#include "strait/memory/out_of_line.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;

namespace {

constexpr std::size_t racing_bytes = 200'000;

/// Writes to some memory all the time, on a thread of its own.
class Scribbler {
 public:
  explicit Scribbler(std::span<std::byte> bytes)
      : thread_([this, bytes] {
          for (unsigned round = 1; !stop_; ++round) {
            // Words, one by one, as atomics: the race is with another process, not undefined here.
            for (std::size_t at = 0; at + 8 <= bytes.size() && !stop_; at += 512) {
              // Not by std::atomic_ref, which not every libc++ has.
              __atomic_store_n(reinterpret_cast<std::uint64_t*>(bytes.data() + at),
                               std::uint64_t{round}, __ATOMIC_RELAXED);
            }
            rounds_ = round;
          }
        }) {}
  ~Scribbler() {
    stop_ = true;
    thread_.join();
  }
  void wait_for_rounds(unsigned more) const {
    const unsigned until = rounds_ + more;
    while (rounds_ < until) std::this_thread::yield();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<unsigned> rounds_ = 0;
  std::thread thread_;
};

/// Whether a message stays as it is while its sender goes on writing.
bool holds_still(View bytes, Scribbler& own) {
  const Bytes now(bytes.begin(), bytes.end());
  own.wait_for_rounds(20);
  return same_bytes(bytes, now);
}

template <class Link>
OutOfLineBytes buffer_of(Link& link, std::size_t size, std::uint64_t seed) {
  auto buffer = link.out_of_line_bytes(size).value();
  fill_pattern(buffer.writable().value(), seed);
  return buffer;
}

/// Sends a buffer twice and goes on scribbling on it; does the same to what it receives, after it
/// has seen that the other side's scribbling does not get here.
template <class Link>
bool race(Link& link) {
  auto own = buffer_of(link, racing_bytes, 1);
  const auto view = own.writable().value();
  Scribbler scribbler(view);
  for (int i = 0; i != 2; ++i) {
    if (!link.send(own)) return false;
    scribbler.wait_for_rounds(2);
  }
  int heard = 0;
  bool still = true;
  const auto listener = [&](OutOfLineBytes received) {
    ++heard;
    still = still && received.size() == racing_bytes && holds_still(received, scribbler);
    const auto mine = received.writable().value();
    const Scribbler on_mine(mine);
    on_mine.wait_for_rounds(20);
  };
  return wait_while(link, listener, [&] { return heard != 2; }) && still;
}

const ChildRole racer_role("peer.racer", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = RawLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        child::require(race(*link), "nothing changes here that the other side writes");
        child::write_line("done");
        child::require(child::read_line() == "done", "the parent is done, too");
        return 0;
      },
      Crossing());
});

// --- all sizes

constexpr std::uint64_t mixed_count = 10'000;
/// Gigabytes, also under a sanitizer.
constexpr auto timeout = std::chrono::minutes{3};

/// Nine of ten are small, as in real life, and one of a hundred is anything up to 8 MiB.
std::size_t any_size(std::uint64_t index) {
  const std::uint64_t dice = (index + 1) * 0x9e37'79b9'7f4a'7c15 >> 20;
  if (index % 10 != 0) return dice % 2400;
  if (index % 100 != 0) return dice % 70'000;
  if (index % 2000 == 0) return 8 << 20;
  return (std::size_t{1} << (12 + index / 100 % 11)) + dice % 4096;
}

/// FNV-1a over words: as fast as reading them.
std::uint64_t checksum(View bytes) {
  std::uint64_t sum = 0xcbf2'9ce4'8422'2325 ^ bytes.size();
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    sum = (sum ^ word) * 0x100'0000'01b3;
  }
  for (; at != bytes.size(); ++at) {
    sum = (sum ^ std::to_integer<std::uint64_t>(bytes[at])) * 0x100'0000'01b3;
  }
  return sum;
}

/// Sends all of them, some in buffers, while it takes all that come.
template <class Link>
bool exchange_all(Link& link, std::uint64_t seed, std::uint64_t other_seed) {
  std::uint64_t sent = 0;
  std::uint64_t heard = 0;
  bool good = true;
  Bytes scratch;
  Bytes expected;
  const auto listener = [&](View bytes) {
    expected.resize(any_size(heard));
    fill_pattern(expected, heard + other_seed);
    good = good && checksum(bytes) == checksum(expected);
    ++heard;
  };
  const auto send_some = [&] {
    for (int burst = 0; burst != 20 && sent != mixed_count; ++burst) {
      const std::size_t size = any_size(sent);
      std::error_code told;
      if (sent % 20 == 0) {
        told = link.send(buffer_of(link, size, sent + seed)).error();
      } else {
        scratch.resize(size);
        fill_pattern(scratch, sent + seed);
        told = link.send(scratch).error();
      }
      if (told) {
        good = good && told == Errc::queue_full;
        break;
      }
      ++sent;
    }
  };
  const auto end = Clock::now() + timeout;
  while (good && (heard != mixed_count || sent != mixed_count) && Clock::now() < end) {
    send_some();
    good = good && link.wait(listener, sent == mixed_count ? 100ms : 1ms);
  }
  return good && heard == mixed_count && link.flush(timeout);
}

template <class T>
using MixedLink = RawLink<T, strait::ChannelOptions{.max_queued_bytes = 9 << 20}>;

const ChildRole mixer_role("peer.mixer", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = MixedLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        child::require(exchange_all(*link, 7, 3), "all came, whole and in order");
        child::write_line("done");
        child::require(child::read_line(timeout) == "done", "the parent is done, too");
        return 0;
      },
      Crossing());
});

}  // namespace

// A loan's sender could write to what its receiver reads, so it is not in this list. The sender's
// threads race with each other here, as they are meant to: ThreadSanitizer would say no more.
TEMPLATE_TEST_CASE("what is written after a message was sent is never seen by the other process",
                   "[process][out_of_line][no-tsan]", Mach, MachCow, Pipe, Socket) {
  const Rendezvous rendezvous;
  auto link = RawLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  Child child = spawn_peer<TestType>("peer.racer", rendezvous);
  CHECK(race(link));
  REQUIRE(link.flush(long_enough));
  CHECK(child.read_line() == "done");
  child.write_line("done");
  CHECK(child.wait().success());
}

// Each process has one thread, so the thread sanitizer would only be slow.
TEMPLATE_TEST_CASE("10,000 messages of all sizes up to 8 MiB go both ways at once",
                   "[process][out_of_line][slow][no-tsan]", Mach, MachCow, MachLoan, Pipe, Socket) {
  const Rendezvous rendezvous;
  auto link = MixedLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  Child child = spawn_peer<TestType>("peer.mixer", rendezvous);
  CHECK(exchange_all(link, 3, 7));
  CHECK(child.read_line(timeout) == "done");
  child.write_line("done");
  CHECK(child.wait().success());
}
