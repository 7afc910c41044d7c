#include <strait/mach/linux/link_ports.hpp>

#include <fcntl.h>
#include <strait/os/poll.hpp>

#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using strait::Errc;
using strait::MessageHeader;
using strait::detail::Deadline;
using strait::linux_mach::LinkPorts;
using strait::linux_mach::ReceiveRight;
using strait::linux_mach::SendRight;
using Clock = std::chrono::steady_clock;

namespace {

struct Lane {
  std::pair<LinkPorts, LinkPorts> ends =
      strait::linux_mach::link_pair(std::size_t{64} << 10).value();
  ReceiveRight& in = ends.first.in;
  SendRight& out = ends.second.out;

  // Also from other threads, where Catch's macros may not be used.
  void send(std::string_view text) {
    std::memcpy(out.reserve(text.size()).value(), text.data(), text.size());
    static_cast<void>(out.stage({static_cast<std::uint32_t>(text.size()), 7, 1, 0}));
    out.publish();
  }
  bool wait_is_over_at_once() {
    const auto before = Clock::now();
    return in.wait(Deadline::after(60s)) && Clock::now() - before < 30s;
  }
};

}  // namespace

TEST_CASE("a record goes down a lane with its tag", "[lane]") {
  Lane lane;
  CHECK(lane.in.peek().error() == Errc::empty);
  lane.send("hello");
  const auto header = lane.in.peek().value();
  CHECK(header.bytes == 5);
  CHECK(header.tag == 7);
  CHECK(std::memcmp(lane.in.body(), "hello", 5) == 0);
  lane.in.pop(header);
  CHECK(lane.in.peek().error() == Errc::empty);
}

TEST_CASE("a wait ends with a doorbell, be it short or long", "[lane]") {
  Lane lane;
  for (const auto duration : {0ms, 0ms, 100ms, 0ms, 100ms}) {
    CAPTURE(duration.count());
    REQUIRE_FALSE(lane.in.arm());
    std::thread sender([&] {
      // Only so that most waits of either kind are seen; whichever it turns out to be must end.
      std::this_thread::sleep_for(duration);
      lane.send("x");
    });
    CHECK(lane.wait_is_over_at_once());
    sender.join();
    CHECK(lane.in.disarm());
    REQUIRE(lane.in.readable());
    lane.in.pop(lane.in.peek().value());
    // Nothing is left in the socket that would end the next wait too soon.
    REQUIRE_FALSE(lane.in.arm());
    CHECK(!strait::os::is_ready(lane.in.interest()));
    CHECK_FALSE(lane.in.disarm());
  }
}

TEST_CASE("a wait ends when the sender is gone, behind what it had sent", "[lane]") {
  Lane lane;
  REQUIRE_FALSE(lane.in.arm());
  lane.send("last");
  lane.ends.second = {};
  CHECK(lane.wait_is_over_at_once());  // the doorbell
  lane.in.disarm();
  lane.in.pop(lane.in.peek().value());
  CHECK_FALSE(lane.in.arm());
  CHECK(lane.wait_is_over_at_once());  // the end
  CHECK_FALSE(lane.in.disarm());
  lane.in.take_doorbells();
  CHECK(lane.in.arm());
  CHECK(lane.in.peek().error() == Errc::peer_closed);
}

TEST_CASE("a wait lasts to its deadline, be that near or far", "[lane]") {
  for (const auto duration : {3ms, 130ms}) {
    Lane lane;
    REQUIRE_FALSE(lane.in.arm());
    const auto before = Clock::now();
    while (Clock::now() - before < duration) {
      REQUIRE(lane.in.wait(Deadline::after(duration - (Clock::now() - before))));
    }
    CHECK_FALSE(lane.in.disarm());
    CHECK(lane.in.peek().error() == Errc::empty);
  }
}

TEST_CASE("no lane has more descriptors under way than the largest message has", "[lane]") {
  Lane lane;
  const auto file = strait::os::open("/dev/null", O_RDONLY).value();
  const std::vector<int> all(127, file.get());
  const std::array one{file.get()};
  REQUIRE(lane.out.send({0, 0, 1, 0}, {}, all));
  // The ring and the socket have room; the user's budget is everybody's.
  CHECK(lane.out.send({0, 0, 1, 0}, {}, one).error() == Errc::would_block);
  CHECK_FALSE(lane.out.retries());
  CHECK_FALSE(lane.out.arm(0));
  std::array<strait::os::UnseenDescriptor, 127> taken;
  const auto header = lane.in.peek().value();
  CHECK(header.descriptors == 127);
  lane.in.pop(header);
  REQUIRE(lane.in.take_descriptors(taken));
  // The receiver has told that it has them, though the ring is nearly empty.
  CHECK(strait::os::is_ready(lane.out.interest()));
  CHECK(lane.out.arm(0));
  CHECK(lane.out.send({0, 0, 1, 0}, {}, one));
}

TEST_CASE("a doorbell behind descriptors that are not to be received yet is not waited for",
          "[lane]") {
  auto ends = strait::linux_mach::link_pair(std::size_t{64} << 10).value();
  auto& near = ends.first;
  auto& far = ends.second;
  const auto file = strait::os::open("/dev/null", O_RDONLY).value();
  const std::array one{file.get()};
  near.in.set_max_descriptors(1);
  const auto fill = [&] {
    while (near.out.reserve(8000)) {
      REQUIRE(near.out.stage({8000, 0, 1, 0}));
      near.out.publish();
    }
  };
  const auto make_room = [&] {
    while (const auto header = far.in.peek()) far.in.pop(*header);
  };
  fill();
  REQUIRE_FALSE(near.out.arm(8000));
  CHECK(near.out.interest().read);
  CHECK_FALSE(near.out.retries());
  for (int i = 0; i != 3; ++i) REQUIRE(far.out.send({0, 0, 1, 0}, {}, one));
  make_room();
  near.in.take_doorbells();
  // The third record's, and the doorbell. A look at the socket would say at once that there is more.
  CHECK(strait::os::is_ready(near.in.interest()));
  CHECK_FALSE(near.out.interest().read);
  CHECK(near.out.retries());
  CHECK(near.out.arm(8000));
  std::array<strait::os::UnseenDescriptor, 1> taken;
  for (int i = 0; i != 3; ++i) {
    near.in.pop(near.in.peek().value());
    REQUIRE(near.in.take_descriptors(taken));
  }
  near.in.take_doorbells();
  CHECK(near.out.interest().read);
  CHECK_FALSE(near.out.retries());
  CHECK_FALSE(strait::os::is_ready(near.out.interest()));
}
