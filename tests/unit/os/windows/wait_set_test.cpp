#include <strait/os/poll.hpp>
#include <strait/os/wait_set.hpp>

#include <array>
#include <chrono>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/readable.hpp"

using namespace std::chrono_literals;
using strait::Interest;
using strait::NativeHandle;
using strait::os::Descriptor;
using strait::os::WaitSet;
using strait_test::readable_within;

namespace {

struct Source {
  Descriptor event = strait::windows::make_event().value();

  Interest to_read() const { return Interest::to_read(event.get()); }
  void fill() const { REQUIRE(::SetEvent(event.get())); }
  void drain() const { REQUIRE(::ResetEvent(event.get())); }
};

}  // namespace

TEST_CASE("a wait set of events is ready while a member is, once its owner has looked",
          "[wait_set]") {
  auto set = WaitSet::create().value();
  const Source first;
  const Source second;
  REQUIRE(set.watch(first.to_read()));
  REQUIRE(set.watch(second.to_read()));
  CHECK_FALSE(readable_within(set.native_handle(), 0ms));
  for (int round = 0; round != 20; ++round) {
    second.fill();
    CHECK(readable_within(set.native_handle(), 20s));
    set.clear();  // it is still set
    CHECK(readable_within(set.native_handle(), 0ms));
    second.drain();
    set.clear();
    CHECK_FALSE(readable_within(set.native_handle(), 0ms));
  }
}

TEST_CASE("a member that is set already makes the set ready at once", "[wait_set]") {
  auto set = WaitSet::create().value();
  const Source source;
  source.fill();
  REQUIRE(set.watch(source.to_read()));
  CHECK(readable_within(set.native_handle(), 0ms));
  std::array<NativeHandle, 4> ready{};
  REQUIRE(set.ready(ready).value() == 1);
  CHECK(ready[0] == source.event.get());
}

TEST_CASE("a set tells of more members than there is room for in several calls", "[wait_set]") {
  auto set = WaitSet::create().value();
  std::vector<Source> sources(100);  // more than one wait of the system's can have
  for (const Source& source : sources) {
    REQUIRE(set.watch(source.to_read()));
    source.fill();
  }
  std::set<NativeHandle> told;
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (told.size() != sources.size() && std::chrono::steady_clock::now() < end) {
    std::array<NativeHandle, 7> ready{};
    const std::size_t count = set.ready(ready).value();
    for (std::size_t i = 0; i != count; ++i) told.insert(ready[i]);
  }
  CHECK(told.size() == sources.size());
}

TEST_CASE("a member may be closed before it is forgotten, and its number be another's",
          "[wait_set]") {
  auto set = WaitSet::create().value();
  NativeHandle number = nullptr;
  {
    const Source closed;
    number = closed.event.get();
    REQUIRE(set.watch(closed.to_read()));
  }
  set.forget_closed(number);
  const Source next;
  REQUIRE(set.watch(next.to_read()));
  CHECK_FALSE(readable_within(set.native_handle(), 0ms));
  next.fill();
  CHECK(readable_within(set.native_handle(), 20s));
}

TEST_CASE("a set is ready at its time, and until that is changed", "[wait_set]") {
  auto set = WaitSet::create().value();
  const auto before = std::chrono::steady_clock::now();
  set.wake_at(strait::detail::Deadline::after(30ms));
  CHECK_FALSE(readable_within(set.native_handle(), 0ms));
  CHECK(readable_within(set.native_handle(), 20s));
  CHECK(std::chrono::steady_clock::now() - before >= 20ms);  // its clock is a coarse one
  set.clear();
  CHECK(readable_within(set.native_handle(), 0ms));
  set.wake_at(strait::detail::Deadline::after(1h));
  set.clear();
  CHECK_FALSE(readable_within(set.native_handle(), 0ms));
}

TEST_CASE("signals last until they are cleared, interrupts until they are taken in", "[wait_set]") {
  auto set = strait::os::wait_set_with_signal().value();
  REQUIRE(set.signal());
  std::array<NativeHandle, 1> ready{};
  CHECK(set.ready(ready).value() == 0);
  CHECK(readable_within(set.native_handle(), 0ms));
  std::thread([&] { set.interrupt(); }).join();
  set.clear();
  CHECK(readable_within(set.native_handle(), 0ms));
  CHECK(set.ready(ready).value() == 0);
  CHECK_FALSE(readable_within(set.native_handle(), 0ms));
}
