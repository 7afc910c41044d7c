#include <strait/framing/frame_queue.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "support/catch.hpp"

using strait::detail::FrameHeader;
using strait::detail::FrameQueue;

namespace {

using Bytes = std::vector<std::byte>;

struct ModelFrame {
  std::uint16_t tag;
  bool continued;
  Bytes payload;
};

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  // Four at a time: sanitizers make the generator dear.
  for (std::size_t at = 0; at < size; at += 4) {
    const auto word = static_cast<std::uint32_t>(random());
    std::memcpy(bytes.data() + at, &word, std::min<std::size_t>(4, size - at));
  }
  return bytes;
}

std::size_t random_size(std::mt19937& random) {
  // Small ones mostly; now and then some that fill a block or need one of their own.
  switch (random() % 16) {
    case 0: return 0;
    case 1: return 60'000 + random() % 10'000;
    case 2: return 200'000;
    default: return random() % 300;
  }
}

bool push(FrameQueue& queue, std::uint16_t tag, const Bytes& payload, bool continued = false) {
  std::byte* out = queue.push(tag, payload.size(), continued);
  if (out == nullptr) return false;
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
  return true;
}

bool front_is(const FrameQueue& queue, const ModelFrame& wanted) {
  const auto frame = queue.front();
  return frame.header.tag == wanted.tag && frame.header.bytes == wanted.payload.size() &&
         (frame.header.continued != 0) == wanted.continued &&
         (wanted.payload.empty() ||
          std::memcmp(frame.payload, wanted.payload.data(), wanted.payload.size()) == 0);
}

Bytes gathered(const FrameQueue& queue) {
  std::vector<strait::os::GatheredPart> parts(10'000);
  parts.resize(queue.gather(parts));
  Bytes bytes;
  for (const strait::os::GatheredPart& part : parts) {
    const auto* begin = static_cast<const std::byte*>(part.iov_base);
    bytes.insert(bytes.end(), begin, begin + part.iov_len);
  }
  return bytes;
}

}  // namespace

TEST_CASE("a queue taken frame by frame is a first-in-first-out of them", "[frame_queue]") {
  std::mt19937 random(1);
  FrameQueue queue;
  std::deque<ModelFrame> model;
  std::size_t bytes = 0;
  for (int step = 0; step != 20'000; ++step) {
    const auto action = random() % 8;
    // Grows and drains in turns, so that it is deep and empty again several times.
    const bool growing = (step / 1000) % 2 == 0;
    if (action < (growing ? 5U : 2U)) {
      ModelFrame frame{static_cast<std::uint16_t>(random()), random() % 8 == 0,
                       random_bytes(random, random_size(random))};
      REQUIRE(push(queue, frame.tag, frame.payload, frame.continued));
      bytes += sizeof(FrameHeader) + frame.payload.size();
      model.push_back(std::move(frame));
    } else if (!model.empty() && action == 7 && model.front().payload.size() > 1) {
      const std::size_t cut = 1 + random() % (model.front().payload.size() - 1);
      queue.advance(cut);
      bytes -= cut;
      auto& payload = model.front().payload;
      payload.erase(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(cut));
      model.front().continued = true;
    } else if (!model.empty()) {
      queue.pop();
      bytes -= sizeof(FrameHeader) + model.front().payload.size();
      model.pop_front();
    }
    if (queue.bytes() != bytes || queue.empty() != model.empty()) {
      FAIL("size differs at step " << step << ": " << queue.bytes() << " for " << bytes);
    }
    if (!model.empty() && !front_is(queue, model.front())) FAIL("front differs at step " << step);
  }
  for (; !model.empty(); model.pop_front(), queue.pop()) REQUIRE(front_is(queue, model.front()));
  CHECK(queue.empty());
}

TEST_CASE("a queue written as a stream is its frames one behind the other", "[frame_queue]") {
  std::mt19937 random(2);
  FrameQueue queue;
  std::deque<std::byte> model;
  for (int step = 0; step != 2'000; ++step) {
    if (random() % 3 != 0) {
      const Bytes payload = random_bytes(random, random_size(random));
      const auto tag = static_cast<std::uint16_t>(random());
      REQUIRE(push(queue, tag, payload));
      const FrameHeader header{static_cast<std::uint32_t>(payload.size()), tag, 0};
      const auto* raw = reinterpret_cast<const std::byte*>(&header);
      model.insert(model.end(), raw, raw + sizeof header);
      model.insert(model.end(), payload.begin(), payload.end());
    } else if (!model.empty()) {
      const std::size_t written = std::min<std::size_t>(model.size(), 1 + random() % 100'000);
      queue.consume(written);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(written));
    }
    REQUIRE(queue.bytes() == model.size());
    if (step % 50 == 0) {
      const Bytes bytes = gathered(queue);
      REQUIRE(std::equal(bytes.begin(), bytes.end(), model.begin(), model.end()));
    }
  }
}

TEST_CASE("gathering fills no more parts than there are", "[frame_queue]") {
  FrameQueue queue;
  std::array<strait::os::GatheredPart, 2> parts;
  CHECK(queue.gather(parts) == 0);
  for (int i = 0; i != 5; ++i) REQUIRE(push(queue, 1, Bytes(60'000)));
  CHECK(queue.gather(parts) == 2);
  CHECK(queue.gather({}) == 0);
}

TEST_CASE("a queue moves with all that is in it and leaves an empty one behind", "[frame_queue]") {
  FrameQueue first;
  REQUIRE(push(first, 3, Bytes(100'000, std::byte{9})));
  FrameQueue second = std::move(first);
  CHECK(first.empty());
  CHECK(second.front().header.tag == 3);
  REQUIRE(push(first, 4, {}));
  first = std::move(second);
  CHECK(first.front().header.bytes == 100'000);
  first.clear();
  CHECK(first.empty());
  CHECK(first.bytes() == 0);
  REQUIRE(push(first, 5, Bytes(10)));
  CHECK(first.front().header.tag == 5);
}

TEST_CASE("a queue that fills and drains a block at a time uses the same memory again",
          "[frame_queue]") {
  FrameQueue queue;
  REQUIRE(push(queue, 1, Bytes(1000)));
  const std::byte* const place = queue.front().payload;
  queue.pop();
  for (int i = 0; i != 100; ++i) {
    REQUIRE(push(queue, 1, Bytes(1000)));
    CHECK(queue.front().payload == place);
    queue.pop();
  }
}

TEST_CASE("a queue without memory for a message says so and keeps the others",
          "[frame_queue][no-asan][no-tsan]") {
  FrameQueue queue;
  REQUIRE(push(queue, 1, Bytes(10)));
  CHECK(queue.push(2, SIZE_MAX / 2) == nullptr);
  CHECK(queue.bytes() == sizeof(FrameHeader) + 10);
  CHECK(queue.front().header.tag == 1);
}

TEST_CASE("a stream is gathered up to the next frame whose rights are not due", "[frame_queue]") {
  FrameQueue queue;
  const auto push_with = [&](std::size_t size, std::size_t count) {
    strait::detail::RightList rights;
    for (std::size_t i = 0; i != count; ++i) REQUIRE(rights.push({}));
    std::byte* out = queue.push(1, size, false, &rights);
    REQUIRE(out != nullptr);
    std::memset(out, static_cast<int>(count), size);
    CHECK(rights.empty());
  };
  push_with(10, 0);
  push_with(20, 2);
  push_with(70'000, 0);
  push_with(30, 3);
  push_with(0, 1);
  CHECK(queue.rights().size() == 6);
  CHECK(queue.rights_due() == 0);
  CHECK(gathered(queue).size() == 8 + 10);
  queue.consume(5);
  CHECK(queue.rights_due() == 0);
  CHECK(gathered(queue).size() == 8 + 10 - 5);
  queue.consume(8 + 10 - 5);
  // Its rights go out with its first byte, and what follows it as far as the next ones.
  CHECK(queue.rights_due() == 2);
  CHECK(queue.front().header.rights == 2);
  CHECK(gathered(queue).size() == 8 + 20 + 8 + 70'000);
  queue.take_rights(2);
  queue.consume(1);
  CHECK(queue.rights_due() == 0);
  CHECK(gathered(queue).size() == 8 + 20 + 8 + 70'000 - 1);
  queue.consume(8 + 20 + 8 + 70'000 - 1);
  CHECK(queue.rights_due() == 3);
  CHECK(gathered(queue).size() == 8 + 30);
  queue.take_rights(3);
  queue.consume(8 + 30);
  CHECK(queue.rights_due() == 1);
  CHECK(gathered(queue).size() == 8);
  FrameQueue moved = std::move(queue);
  CHECK(moved.rights_due() == 1);
  moved.clear();
  CHECK(moved.rights().empty());
}

TEST_CASE("a frame taken out of the middle leaves the others, their order and their rights",
          "[frame_queue]") {
  struct Placed {
    std::uint64_t position;
    std::uint16_t tag;
    Bytes payload;
    std::size_t rights;
  };
  std::mt19937 random(3);
  FrameQueue queue;
  std::deque<Placed> model;
  std::uint16_t next_tag = 0;
  for (int step = 0; step != 5'000; ++step) {
    const auto action = random() % 8;
    const bool growing = (step / 500) % 2 == 0;
    if (action < (growing ? 5U : 3U)) {
      Placed frame{queue.end_position(), next_tag++, random_bytes(random, random_size(random)),
                   random() % 4 == 0 ? random() % 4 : 0};
      strait::detail::RightList rights;
      // Which right it is shows by the number of its sender.
      for (std::size_t i = 0; i != frame.rights; ++i) {
        strait::detail::Right right;
        right.sender.pid = frame.tag;
        REQUIRE(rights.push(std::move(right)));
      }
      std::byte* out = queue.push(frame.tag, frame.payload.size(), false, &rights);
      REQUIRE(out != nullptr);
      if (!frame.payload.empty()) std::memcpy(out, frame.payload.data(), frame.payload.size());
      model.push_back(std::move(frame));
    } else if (!model.empty() && action < 7) {
      const std::size_t index = random() % model.size();
      const std::size_t size = queue.remove(model[index].position);
      CHECK(size == sizeof(FrameHeader) + model[index].payload.size());
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(index));
      for (std::size_t i = index; i != model.size(); ++i) model[i].position -= size;
    } else if (!model.empty()) {
      queue.take_rights(model.front().rights);
      queue.pop();
      model.pop_front();
    }
    std::size_t bytes = 0;
    for (const Placed& frame : model) bytes += sizeof(FrameHeader) + frame.payload.size();
    if (queue.bytes() != bytes || queue.end_position() - queue.begin_position() != bytes) {
      FAIL("size differs at step " << step);
    }
    std::deque<std::uint32_t> rights;
    queue.rights().for_each([&](const strait::detail::Right& right) {
      rights.push_back(static_cast<std::uint32_t>(right.sender.pid));
    });
    for (const Placed& frame : model) {
      const FrameHeader header = queue.header_at(frame.position);
      if (header.tag != frame.tag || header.bytes != frame.payload.size() ||
          header.rights != frame.rights) {
        FAIL("a header differs at step " << step);
      }
      for (std::size_t i = 0; i != frame.rights; ++i) {
        if (rights.empty() || rights.front() != frame.tag) FAIL("a right differs at " << step);
        rights.pop_front();
      }
    }
    REQUIRE(rights.empty());
  }
  for (; !model.empty(); model.pop_front(), queue.pop()) {
    const std::size_t due = queue.rights_due();
    REQUIRE(due == model.front().rights);
    queue.take_rights(due);
    REQUIRE(front_is(queue, {model.front().tag, false, model.front().payload}));
  }
  CHECK(queue.empty());
}
