#include <strait/os/poll.hpp>
#include <strait/os/wait_set.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "support/catch.hpp"

using strait::os::Descriptor;
using strait::os::WaitSet;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
    for (const int end : ends) REQUIRE(::fcntl(end, F_SETFD, FD_CLOEXEC) == 0);
  }
  void fill() { REQUIRE(::write(in.get(), "x", 1) == 1); }
  void drain() {
    char c;
    REQUIRE(::read(out.get(), &c, 1) == 1);
  }

  Descriptor out, in;
};

bool ready(const WaitSet& set) {
  return strait::os::is_ready(strait::Interest::to_read(set.native_handle()));
}

}  // namespace

TEST_CASE("a wait set is readable while a member is ready", "[wait_set]") {
  auto set = WaitSet::create().value();
  Pipe first;
  Pipe second;
  REQUIRE(set.watch(strait::Interest::to_read(first.out.get())));
  REQUIRE(set.watch(strait::Interest::to_read(second.out.get())));
  CHECK_FALSE(ready(set));
  second.fill();
  CHECK(ready(set));
  CHECK(ready(set));  // by level, not by edge
  second.drain();
  CHECK_FALSE(ready(set));
}

TEST_CASE("a wait set counts only the events it was asked for", "[wait_set]") {
  auto set = WaitSet::create().value();
  Pipe pipe;
  REQUIRE(set.watch(strait::Interest::to_read(pipe.in.get())));
  CHECK_FALSE(ready(set));
  REQUIRE(set.watch(strait::Interest::to_write(pipe.in.get())));
  CHECK(ready(set));
  REQUIRE(set.watch({pipe.in.get()}));
  CHECK_FALSE(ready(set));
  pipe.out.reset();
  CHECK(ready(set));  // the end is never left out
}

TEST_CASE("a member that was forgotten or closed no longer counts", "[wait_set]") {
  auto set = WaitSet::create().value();
  Pipe first;
  Pipe second;
  REQUIRE(set.watch(strait::Interest::to_read(first.out.get())));
  REQUIRE(set.watch(strait::Interest::to_read(second.out.get())));
  first.fill();
  second.fill();
  set.forget(first.out.get());
  CHECK(ready(set));
  second.out.reset();
  CHECK_FALSE(ready(set));
  set.forget(first.out.get());
  CHECK_FALSE(ready(set));
}

TEST_CASE("two interests give way to two others, whichever they are", "[wait_set]") {
  Pipe first;
  Pipe second;
  const int a = first.out.get();
  const int b = second.out.get();
  const int writable = first.in.get();
  using strait::Interest;
  const std::array<strait::Interests, 9> all{{{},
                                              {Interest::to_read(a), {}},
                                              {{}, Interest::to_read(b)},
                                              {Interest::to_read(a), Interest::to_read(b)},
                                              {Interest::to_read(b), Interest::to_read(a)},
                                              {Interest::to_read(b), Interest::to_read(b)},
                                              {Interest{a, false, false}, Interest::to_read(a)},
                                              {Interest::to_read(a), Interest::to_write(writable)},
                                              {Interest::to_write(writable), {}}}};
  const auto counts = [&](const strait::Interests& some, bool in_first, bool in_second) {
    bool due = false;
    for (const auto& one : {some.in, some.out}) {
      due = due || one.write || (one.read && (one.handle == a ? in_first : in_second));
    }
    return due;
  };
  for (const auto& before : all) {
    for (const auto& after : all) {
      auto set = WaitSet::create().value();
      strait::Interests watched;
      REQUIRE(strait::os::watch_instead(set, watched, before));
      REQUIRE(strait::os::watch_instead(set, watched, after));
      CAPTURE(&before - all.data(), &after - all.data());
      CHECK(ready(set) == counts(after, false, false));
      first.fill();
      CHECK(ready(set) == counts(after, true, false));
      first.drain();
      second.fill();
      CHECK(ready(set) == counts(after, false, true));
      second.drain();
    }
  }
}

TEST_CASE("a signal lasts until it is cleared", "[wait_set]") {
  auto set = WaitSet::create().value();
  set.clear();
  CHECK_FALSE(ready(set));
  for (int i = 0; i != 3; ++i) {
    REQUIRE(set.signal());
    REQUIRE(set.signal());
    CHECK(ready(set));
    set.clear();
    CHECK_FALSE(ready(set));
  }
}

TEST_CASE("a wait set moves with its members", "[wait_set]") {
  auto first = WaitSet::create().value();
  Pipe pipe;
  REQUIRE(first.watch(strait::Interest::to_read(pipe.out.get())));
  REQUIRE(first.signal());
  WaitSet second = std::move(first);
  CHECK(second);
  CHECK_FALSE(first);
  CHECK(ready(second));
  second.clear();
  CHECK_FALSE(ready(second));
  pipe.fill();
  CHECK(ready(second));
}

TEST_CASE("what can't be watched is an error", "[wait_set]") {
  auto set = WaitSet::create().value();
  CHECK(set.watch(strait::Interest::to_read(-1)).error() == std::errc::bad_file_descriptor);
}

TEST_CASE("a wait set tells which members are ready, and not that it was signalled", "[wait_set]") {
  auto set = WaitSet::create().value();
  Pipe first;
  Pipe second;
  Pipe third;
  for (const Pipe* pipe : {&first, &second, &third}) {
    REQUIRE(set.watch(strait::Interest::to_read(pipe->out.get())));
  }
  REQUIRE(set.signal());
  std::array<int, 4> members{};
  CHECK(set.ready(members).value() == 0);
  third.fill();
  REQUIRE(set.ready(members).value() == 1);
  CHECK(members[0] == third.out.get());
  first.fill();
  second.fill();
  CHECK(set.ready(members).value() == 3);
  // With room for fewer, each has its turn.
  std::set<int> seen;
  for (int i = 0; i != 9; ++i) {
    CHECK(set.ready(std::span(members).first(1)).value() == 1);
    seen.insert(members[0]);
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("a wait set wakes up by itself at the time that was set, once", "[wait_set]") {
  using strait::detail::Deadline;
  auto set = WaitSet::create().value();
  set.wake_at(Deadline::after(std::chrono::hours{1}));
  CHECK_FALSE(ready(set));
  set.wake_at(Deadline::after(std::chrono::milliseconds{1}));
  REQUIRE(strait::os::wait_for({strait::Interest::to_read(set.native_handle())},
                               Deadline::after(std::chrono::minutes{1})));
  CHECK(ready(set));
  std::array<int, 4> members;
  CHECK(set.ready(members).value() == 0);  // the timer is none of them
  set.wake_at(Deadline::never());
  CHECK_FALSE(ready(set));
}
