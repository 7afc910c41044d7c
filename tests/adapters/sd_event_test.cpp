#include <strait/loops/sd_event.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <utility>

#include "support/catch.hpp"

namespace {

struct Loop {
  sd_event* event = nullptr;

  Loop() { REQUIRE(::sd_event_new(&event) >= 0); }
  Loop(const Loop&) = delete;
  ~Loop() { ::sd_event_unref(event); }

  template <class Source, class Listener>
  strait::SdEventWatch start(Source& source, Listener listener) {
    return strait::SdEventWatch::start(source, std::move(listener), event).value();
  }
  void turn() { CHECK(::sd_event_run(event, UINT64_MAX) >= 0); }
  void after(std::chrono::microseconds duration, std::function<void()> task) {
    sd_event_source* source = nullptr;
    REQUIRE(::sd_event_add_time_relative(
                event, &source, CLOCK_MONOTONIC, static_cast<std::uint64_t>(duration.count()), 1,
                [](sd_event_source*, std::uint64_t, void* data) {
                  (*static_cast<std::function<void()>*>(data))();
                  return 0;
                },
                new std::function<void()>(std::move(task))) >= 0);
    ::sd_event_source_set_destroy_callback(
        source, [](void* data) { delete static_cast<std::function<void()>*>(data); });
    ::sd_event_source_set_floating(source, 1);
    ::sd_event_source_unref(source);
  }
};

}  // namespace

#include "adapters/watch_cases.hpp"
