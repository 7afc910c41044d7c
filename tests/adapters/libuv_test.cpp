#include <strait/loops/libuv.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "support/catch.hpp"

namespace {

struct Loop {
  uv_loop_t loop;

  Loop() { REQUIRE(::uv_loop_init(&loop) == 0); }
  Loop(const Loop&) = delete;
  ~Loop() {
    ::uv_run(&loop, UV_RUN_NOWAIT);  // for what was closed
    CHECK(::uv_loop_close(&loop) == 0);
  }

  template <class Source, class Listener>
  strait::LibuvWatch start(Source& source, Listener listener) {
    return strait::LibuvWatch::start(source, std::move(listener), &loop).value();
  }
  void turn() { ::uv_run(&loop, UV_RUN_ONCE); }
  void after(std::chrono::milliseconds duration, std::function<void()> task) {
    struct Timer {
      uv_timer_t handle;
      std::function<void()> task;
    };
    auto* timer = new Timer{{}, std::move(task)};
    ::uv_update_time(&loop);
    ::uv_timer_init(&loop, &timer->handle);
    timer->handle.data = timer;
    ::uv_timer_start(
        &timer->handle,
        [](uv_timer_t* handle) {
          static_cast<Timer*>(handle->data)->task();
          ::uv_close(reinterpret_cast<uv_handle_t*>(handle),
                     [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
        },
        static_cast<std::uint64_t>(duration.count()), 0);
  }
};

/// libuv's first loop in a process makes a pipe that stays.
[[maybe_unused]] const bool first_loop_made = [] {
  uv_loop_t loop;
  return ::uv_loop_init(&loop) == 0 && ::uv_loop_close(&loop) == 0;
}();

}  // namespace

#include "adapters/watch_cases.hpp"
