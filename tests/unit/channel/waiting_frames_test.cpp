#include <strait/channel/waiting_frames.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "support/catch.hpp"

using strait::detail::FrameHeader;
using strait::detail::FrameQueue;
using strait::detail::WaitingFrames;

namespace {

constexpr std::size_t frame_bytes = sizeof(FrameHeader) + 10;

void add_frame(FrameQueue& queue, WaitingFrames& waiting, std::uint16_t tag) {
  REQUIRE(waiting.reserve());
  const std::uint64_t position = queue.end_position();
  REQUIRE(queue.push(tag, 10) != nullptr);
  waiting.add(position, tag);
}

}  // namespace

TEST_CASE("frames that wait are replaced, and those on their way are not", "[queue][conflate]") {
  FrameQueue queue;
  WaitingFrames waiting;
  for (std::uint16_t tag = 1; tag != 6; ++tag) add_frame(queue, waiting, tag);
  // All of the first frame, and a byte of the second one.
  queue.set_in_flight(frame_bytes + 1);
  CHECK(waiting.drop_oldest(queue, 9, 1, 1) == 2);
  CHECK(queue.bytes() == 3 * frame_bytes);
  for (const int tag : {1, 2, 5}) {
    CHECK(queue.front().header.tag == tag);
    queue.pop();
  }
}

TEST_CASE("frames wait again when what was on its way has left", "[queue][conflate]") {
  FrameQueue queue;
  for (std::uint16_t tag = 1; tag != 4; ++tag) REQUIRE(queue.push(tag, 10) != nullptr);
  queue.set_in_flight(2 * frame_bytes);
  CHECK(queue.waiting_position() == 2 * frame_bytes);
  FrameQueue moved = std::move(queue);
  CHECK(moved.waiting_position() == 2 * frame_bytes);
  moved.consume(2 * frame_bytes);
  CHECK(moved.waiting_position() == moved.begin_position());
  moved.set_in_flight(5);
  moved.clear();
  CHECK(moved.waiting_position() == moved.begin_position());
}
