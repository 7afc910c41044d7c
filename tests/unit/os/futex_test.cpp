#include <strait/os/futex.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

#include "strait/rights/shared_memory.hpp"
#include "support/catch.hpp"

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

/// How long a wait for a word took that stays as it is.
Clock::duration waited(std::atomic<std::uint32_t>& word, std::chrono::nanoseconds limit) {
  const auto begin = Clock::now();
  strait::os::futex_wait(word, 7, limit);
  return Clock::now() - begin;
}

}  // namespace

TEST_CASE("a wait on a futex lasts as long as it was given", "[futex]") {
  const auto memory = strait::SharedMemory::create(sizeof(std::uint32_t)).value();
  const auto word = memory.map<std::atomic<std::uint32_t>>().value();
  word->store(7);
  // A signal may end it early, now and then.
  for (const auto limit : {30ms, 1050ms}) {
    int whole = 0;
    for (int i = 0; i != 5 && whole == 0; ++i) whole += waited(*word, limit) >= limit;
    CHECK(whole == 1);
  }
}

TEST_CASE("a futex that is woken, or has changed, is not waited for any longer", "[futex]") {
  const auto memory = strait::SharedMemory::create(sizeof(std::uint32_t)).value();
  const auto word = memory.map<std::atomic<std::uint32_t>>().value();
  word->store(8);
  CHECK(waited(*word, 1min) < 30s);
  word->store(7);
  std::thread waker([&] {
    word->store(8);
    strait::os::futex_wake(*word);
  });
  CHECK(waited(*word, 1min) < 30s);
  waker.join();
}
