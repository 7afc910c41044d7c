#include <strait/base/shared.hpp>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using strait::detail::Shared;
using strait::detail::Weak;

namespace {

struct Counted {
  explicit Counted(std::atomic<int>& alive) : living(alive) { ++living; }
  virtual ~Counted() { --living; }
  std::atomic<int>& living;
};
struct Derived final : Counted {
  using Counted::Counted;
  ~Derived() override { value = 0; }
  int value = 7;
};

}  // namespace

TEST_CASE("a shared object goes with its last owner, of whatever type", "[base][shared]") {
  std::atomic<int> living = 0;
  Shared<Counted> kept;
  {
    auto made = Shared<Derived>::make(living);
    kept = made;
    Shared<Counted> moved = std::move(made);
    CHECK_FALSE(made);
    CHECK(moved == kept);
    kept = Shared<Counted>(kept);
  }
  CHECK(living == 1);
  CHECK(static_cast<Derived&>(*kept).value == 7);
  kept = Shared<Derived>::try_make(living);
  CHECK(living == 1);
  kept = {};
  CHECK(living == 0);
}

TEST_CASE("a weak pointer finds an object as long as it has an owner", "[base][shared]") {
  std::atomic<int> living = 0;
  Weak<Counted> weak;
  CHECK(weak.expired());
  CHECK_FALSE(weak.lock());
  {
    const Shared<Counted> owner = Shared<Derived>::make(living);
    weak = owner;
    Weak<Counted> copy = weak;
    Weak<Counted> moved = std::move(copy);
    CHECK(moved.lock() == owner);
    CHECK(weak.lock() == owner);
  }
  CHECK(living == 0);
  CHECK(weak.expired());
  CHECK_FALSE(weak.lock());
}

TEST_CASE("what threads find by a weak pointer lives as long as they have it", "[base][shared]") {
  for (int round = 0; round != 200; ++round) {
    std::atomic<int> living = 0;
    auto owner = Shared<Counted>::make(living);
    const Weak<Counted> weak = owner;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i != 3; ++i) {
      threads.emplace_back([&] {
        while (const auto found = weak.lock()) {
          if (found->living != 1) ++wrong;
        }
      });
    }
    owner = {};
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(living == 0);
  }
}
