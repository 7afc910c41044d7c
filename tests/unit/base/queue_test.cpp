#include <strait/base/owner.hpp>
#include <strait/base/queue.hpp>

#include <memory>
#include <utility>

#include "support/catch.hpp"

using strait::detail::Owner;
using strait::detail::Queue;

TEST_CASE("a queue gives in order what was put in, also after it was empty", "[base][queue]") {
  Queue<Owner<int>> queue;
  for (int round = 0; round != 2; ++round) {
    for (int i = 0; i != 3; ++i) queue.push(Owner<int>(new int(i)));
    CHECK(queue.size() == 3);
    CHECK(*queue.front() == 0);
    for (int i = 0; i != 3; ++i) CHECK(*queue.pop() == i);
    CHECK(queue.empty());
  }
}

TEST_CASE("a queue that was moved from is empty, and what it had is dropped once",
          "[base][queue]") {
  const auto counted = std::make_shared<int>(1);
  {
    Queue<std::shared_ptr<int>> first;
    first.push(counted);
    first.push(counted);
    Queue<std::shared_ptr<int>> second = std::move(first);
    CHECK(first.empty());
    CHECK(second.size() == 2);
    first.push(counted);
    first = std::move(second);
    CHECK(first.size() == 2);
    CHECK(counted.use_count() == 3);
  }
  CHECK(counted.use_count() == 1);
}

TEST_CASE("an owner becomes one of the standard library's", "[base][owner]") {
  std::unique_ptr<int> unique = Owner<int>(new int(3));
  CHECK(*unique == 3);
  const std::shared_ptr<int> shared = Owner<int>(unique.release());
  CHECK(*shared == 3);
}
