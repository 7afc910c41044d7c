#include <strait/memory/byte_buffer.hpp>

#include <cstdint>
#include <cstring>
#include <utility>

#include "support/catch.hpp"

using strait::detail::ByteBuffer;
using strait::detail::payload_alignment;

namespace {

bool aligned(ByteBuffer& buffer) {
  return reinterpret_cast<std::uintptr_t>(buffer.data()) % payload_alignment == 0;
}

}  // namespace

TEST_CASE("a fresh buffer holds nothing", "[byte_buffer]") {
  ByteBuffer buffer;
  CHECK(buffer.size() == 0);
  CHECK(buffer.bytes().empty());
}

TEST_CASE("extending by nothing gives a place, not a failure", "[byte_buffer]") {
  ByteBuffer buffer;
  CHECK(buffer.extend(0) != nullptr);
  CHECK(buffer.size() == 0);
}

TEST_CASE("a buffer keeps its contents and its alignment while it grows", "[byte_buffer]") {
  ByteBuffer buffer;
  unsigned char next = 0;
  for (std::size_t size = 1; buffer.size() < (std::size_t{1} << 20); size = size * 2 + 1) {
    std::byte* out = buffer.extend(size);
    REQUIRE(out != nullptr);
    for (std::size_t i = 0; i != size; ++i) out[i] = std::byte{next++};
    CHECK(aligned(buffer));
  }
  next = 0;
  bool same = true;
  for (const std::byte b : buffer.bytes()) same = same && b == std::byte{next++};
  CHECK(same);
}

TEST_CASE("a cleared buffer keeps its memory", "[byte_buffer]") {
  ByteBuffer buffer;
  REQUIRE(buffer.extend(100'000) != nullptr);
  std::byte* const data = buffer.data();
  const std::size_t capacity = buffer.capacity();
  buffer.clear();
  CHECK(buffer.size() == 0);
  CHECK(buffer.extend(100'000) == data);
  CHECK(buffer.capacity() == capacity);
}

TEST_CASE("a buffer hands its memory over when it is moved", "[byte_buffer]") {
  ByteBuffer first;
  std::memset(first.extend(10), 1, 10);
  ByteBuffer second = std::move(first);
  CHECK(second.size() == 10);
  CHECK(first.size() == 0);
  CHECK(first.extend(4) != nullptr);
  first = std::move(second);
  CHECK(first.size() == 10);
  CHECK(first.data()[9] == std::byte{1});
}

// The sanitizers end the program when it asks for what no machine has.
TEST_CASE("a buffer that can't grow says so and keeps what it has",
          "[byte_buffer][no-asan][no-tsan]") {
  ByteBuffer buffer;
  std::memset(buffer.extend(10), 7, 10);
  for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 5, SIZE_MAX - 63, SIZE_MAX / 2}) {
    CAPTURE(size);
    CHECK(buffer.extend(size) == nullptr);
    CHECK_FALSE(buffer.reserve(size));
  }
  CHECK(buffer.size() == 10);
  CHECK(buffer.data()[9] == std::byte{7});
}

TEST_CASE("a large buffer is given back after a while of small uses", "[byte_buffer]") {
  ByteBuffer buffer;
  const std::size_t large = std::size_t{200} << 20;
  REQUIRE(buffer.reserve(large));
  const auto use = [&](std::size_t bytes) {
    buffer.clear();
    REQUIRE(buffer.extend(bytes) != nullptr);
  };
  for (int i = 0; i != 60; ++i) use(1000);
  CHECK(buffer.capacity() >= large);
  use(large / 2);  // it is still needed now and then
  for (int i = 0; i != 60; ++i) use(1000);
  CHECK(buffer.capacity() >= large);
  for (int i = 0; i != 10; ++i) use(1000);
  CHECK(buffer.capacity() < (std::size_t{1} << 20));
}
