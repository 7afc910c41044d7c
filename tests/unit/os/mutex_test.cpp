#include <strait/os/mutex.hpp>

#include <thread>

#include "support/catch.hpp"

using strait::detail::AlreadyLocked;
using strait::detail::Lock;
using strait::detail::TryToLock;
using strait::os::Condition;
using strait::os::Mutex;

TEST_CASE("one thread at a time has a mutex", "[os][mutex]") {
  Mutex mutex;
  int count = 0;
  const auto add = [&] {
    for (int i = 0; i != 20'000; ++i) {
      const Lock locked(mutex);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  CHECK(count == 40'000);
}

TEST_CASE("a lock that only tries says whether it has the mutex, and gives it back",
          "[os][mutex]") {
  Mutex mutex;
  const auto free = [&] {
    bool got = false;
    std::thread([&] { got = static_cast<bool>(Lock(mutex, TryToLock())); }).join();
    return got;
  };
  CHECK(free());
  {
    Lock locked(mutex);
    CHECK_FALSE(free());
    locked.unlock();
    CHECK_FALSE(locked);
    CHECK(free());
    locked.lock();
    CHECK_FALSE(free());
  }
  CHECK(free());
  mutex.lock();
  { const Lock adopted(mutex, AlreadyLocked()); }
  CHECK(free());
}

TEST_CASE("who waits for a condition lets the mutex go, and has it again after", "[os][mutex]") {
  Mutex mutex;
  Condition condition;
  int turn = 0;
  std::thread other([&] {
    for (int i = 0; i != 100; ++i) {
      const Lock locked(mutex);
      while (turn != 2 * i + 1) condition.wait(mutex);
      ++turn;
      condition.notify_all();
    }
  });
  for (int i = 0; i != 100; ++i) {
    const Lock locked(mutex);
    while (turn != 2 * i) condition.wait(mutex);
    ++turn;
    condition.notify_all();
  }
  other.join();
  CHECK(turn == 200);
}
