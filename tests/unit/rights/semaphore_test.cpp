#include <strait/rights/semaphore.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::Semaphore;
using strait::SharedMemory;
using strait::detail::Right;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// The same semaphore, and the words that a peer could write to.
struct Exposed {
  Exposed() {
    auto right = Semaphore::create().value().into_right().value();
    auto memory = SharedMemory::from_right(right).value();
    words = memory.map<std::atomic<std::uint32_t>>().value();
    right = memory.into_right().value();
    semaphore.push_back(Semaphore::from_right(right).value());
  }
  Semaphore& operator*() { return semaphore.front(); }

  strait::Mapped<std::atomic<std::uint32_t>> words;
  std::vector<Semaphore> semaphore;
};

}  // namespace

TEST_CASE("a semaphore counts", "[semaphore]") {
  auto semaphore = Semaphore::create(2).value();
  CHECK(semaphore.try_wait());
  CHECK(semaphore.try_wait());
  CHECK(semaphore.try_wait().error() == Errc::would_block);
  semaphore.post();
  CHECK(semaphore.wait_for(0s));
  CHECK(semaphore.wait_for(0s).error() == Errc::timed_out);
}

TEST_CASE("a wait ends with its time, and not before", "[semaphore]") {
  auto semaphore = Semaphore::create().value();
  const auto start = Clock::now();
  CHECK(semaphore.wait_for(20ms).error() == Errc::timed_out);
  CHECK(Clock::now() - start >= 20ms);
}

TEST_CASE("every post wakes one who waits, whoever has the semaphore how", "[semaphore][threads]") {
  constexpr int threads = 4;
  constexpr int each = 2000;
  auto semaphore = Semaphore::create().value();
  std::atomic<int> taken = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> waiting;
  for (int i = 0; i != threads; ++i) {
    waiting.emplace_back([&, own = semaphore.duplicate().value()]() mutable {
      for (int k = 0; k != each; ++k) ++(own.wait_for(20s) ? taken : failed);
    });
  }
  for (int k = 0; k != threads * each; ++k) {
    semaphore.post();
    if (k % 64 == 0) std::this_thread::yield();
  }
  for (auto& thread : waiting) thread.join();
  CHECK(taken == threads * each);
  CHECK(failed == 0);
  CHECK(semaphore.try_wait().error() == Errc::would_block);
}

TEST_CASE("whatever is written over a semaphore, waits end with their time",
          "[semaphore][hostile]") {
  Exposed exposed;
  auto& count = exposed.words.span()[0];
  auto& sleepers = exposed.words.span()[1];
  std::atomic<bool> stop = false;
  std::thread scribbler([&] {
    for (std::uint32_t noise = 1; !stop; noise = noise * 1'664'525 + 1'013'904'223) {
      count = noise % 3 == 0 ? 0 : noise;
      sleepers = noise >> 7;
    }
  });
  for (int i = 0; i != 50; ++i) {
    const auto start = Clock::now();
    const auto waited = (*exposed).wait_for(2ms);
    CHECK(Clock::now() - start < 10s);
    if (!waited) CHECK(waited.error() == Errc::timed_out);
    (*exposed).post();
  }
  stop = true;
  scribbler.join();
  for (const std::uint32_t extreme : {0u, 1u, 0x7fff'ffffu, 0x8000'0000u, 0xffff'ffffu}) {
    count = extreme;
    sleepers = extreme;
    CHECK((*exposed).try_wait().has_value() == (extreme != 0));
    (*exposed).post();
    static_cast<void>((*exposed).wait_for(1ms));
  }
}

TEST_CASE("a semaphore that was given away is taken back and counts on", "[semaphore]") {
  auto semaphore = Semaphore::create(1).value();
  Right right = semaphore.into_right().value();
  CHECK(semaphore.into_right().error() == Errc::wrong_right);
  auto back = Semaphore::from_right(right).value();
  CHECK(back.try_wait());
  CHECK(back.try_wait().error() == Errc::would_block);
}
