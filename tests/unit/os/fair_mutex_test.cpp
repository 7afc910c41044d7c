#include <strait/os/fair_mutex.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using strait::os::FairMutex;

TEST_CASE("who waits for a mutex has it before the thread that always has it", "[fair_mutex]") {
  for (const bool yields : {false, true}) {
    CAPTURE(yields);
    FairMutex mutex;
    std::atomic<bool> done = false;
    std::atomic<int> turns = 0;
    std::thread busy([&] {
      mutex.lock();
      while (!done) {
        ++turns;
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{1};
        while (std::chrono::steady_clock::now() < end) {
        }
        if (yields) {
          mutex.yield();
        } else {
          mutex.unlock();
          mutex.lock_in_turn();
        }
      }
      mutex.unlock();
    });
    std::vector<int> waited;
    for (int i = 0; i != 21; ++i) {
      while (turns == 0) std::this_thread::yield();
      const int before = turns;
      const std::lock_guard locked(mutex);
      waited.push_back(turns - before);
    }
    done = true;
    busy.join();
    // The system may have left this thread asleep before it even asked; not each time.
    std::nth_element(waited.begin(), waited.begin() + 10, waited.end());
    CHECK(waited[10] <= 2);
  }
}

TEST_CASE("a fair mutex is one: it is tried, and had by one thread at a time", "[fair_mutex]") {
  FairMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t != 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i != 1000; ++i) {
        if (t == 0) {
          mutex.lock_in_turn();
        } else if (t == 1 || !mutex.try_lock()) {
          mutex.lock();
        }
        ++count;
        mutex.unlock();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(count == 3000);
}
