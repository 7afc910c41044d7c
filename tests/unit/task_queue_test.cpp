#include <strait/os/poll.hpp>
#include <strait/task_queue.hpp>

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using strait::TaskQueue;

namespace {

bool readable(const TaskQueue& queue) {
  return strait::os::is_ready(strait::Interest::to_read(queue.native_handle()));
}

}  // namespace

TEST_CASE("a task queue is readable while there is a task, and runs them in order",
          "[task_queue]") {
  auto queue = TaskQueue::create().value();
  std::vector<int> ran;
  CHECK_FALSE(readable(*queue));
  CHECK(queue->run() == 0);
  for (int i = 0; i != 3; ++i) queue->post([&ran, i] { ran.push_back(i); });
  CHECK(readable(*queue));
  CHECK(queue->run() == 3);
  CHECK(ran == std::vector{0, 1, 2});
  CHECK_FALSE(readable(*queue));
}

TEST_CASE("what a task posts is for the next run", "[task_queue]") {
  auto queue = TaskQueue::create().value();
  int ran = 0;
  queue->post([&] {
    ++ran;
    queue->post([&] { ++ran; });
  });
  CHECK(queue->run() == 1);
  CHECK(ran == 1);
  CHECK(readable(*queue));
  CHECK(queue->run() == 1);
  CHECK(ran == 2);
}

TEST_CASE("a task may run the queue, and one that throws leaves the others", "[task_queue]") {
  auto queue = TaskQueue::create().value();
  int ran = 0;
  queue->post([&] { ran += static_cast<int>(queue->run()); });
  queue->post([&] { ++ran; });
  CHECK(queue->run() == 1);
  CHECK(ran == 2);
  queue->post([] { throw std::runtime_error("no"); });
  queue->post([&] { ++ran; });
  CHECK_THROWS(queue->run());
  CHECK(readable(*queue));
  CHECK(queue->run() == 1);
  CHECK(ran == 3);
}

TEST_CASE("tasks that were not run go with their queue", "[task_queue]") {
  auto queue = TaskQueue::create().value();
  const auto kept = std::make_shared<int>(1);
  queue->post([kept] {});
  CHECK(kept.use_count() == 2);
  queue.reset();
  CHECK(kept.use_count() == 1);
}

TEST_CASE("many threads post, none of their tasks is lost", "[task_queue]") {
  auto queue = TaskQueue::create().value();
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t != 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i != 500; ++i) queue->executor()([&] { ++ran; });
    });
  }
  while (ran != 1500) {
    REQUIRE(strait::os::wait_for({strait::Interest::to_read(queue->native_handle())},
                                 strait::detail::Deadline::after(std::chrono::seconds{10})));
    REQUIRE(queue->run() > 0);
  }
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(readable(*queue));
}
