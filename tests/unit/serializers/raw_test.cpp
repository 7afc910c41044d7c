#include <strait/serializers/raw.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::RawSerializer;

namespace {

using Bytes = std::span<const std::byte>;

static_assert(strait::Serializer<RawSerializer>);
static_assert(RawSerializer::accepts<std::span<const std::byte>>);
static_assert(RawSerializer::accepts<std::span<std::byte>>);
static_assert(RawSerializer::accepts<std::vector<std::byte>>);
static_assert(RawSerializer::accepts<std::array<std::byte, 3>>);
static_assert(RawSerializer::accepts<std::string>);
static_assert(RawSerializer::accepts<std::string_view>);
static_assert(RawSerializer::accepts<std::vector<unsigned char>>);
static_assert(!RawSerializer::accepts<char[5]>, "with or without its zero?");
static_assert(!RawSerializer::accepts<std::vector<int>>);
static_assert(!RawSerializer::accepts<int>);

}  // namespace

TEST_CASE("raw messages are their bytes", "[raw]") {
  const std::array<std::byte, 3> message{std::byte{1}, std::byte{2}, std::byte{3}};
  CHECK(RawSerializer::size(message) == 3);
  CHECK(RawSerializer::tag(message) == 0);
  CHECK(RawSerializer::bytes(message).data() == message.data());
  std::array<std::byte, 3> out{};
  RawSerializer::write(message, out.data());
  CHECK(out == message);
}

TEST_CASE("a string is sent as its characters", "[raw]") {
  const std::string text = "hello";
  CHECK(RawSerializer::size(text) == 5);
  CHECK(std::memcmp(RawSerializer::bytes(text).data(), "hello", 5) == 0);
  std::array<std::byte, 5> out{};
  RawSerializer::write(text, out.data());
  CHECK(std::memcmp(out.data(), "hello", 5) == 0);
  CHECK(RawSerializer::size(std::string()) == 0);
}

TEST_CASE("an empty raw message is a message", "[raw]") {
  std::byte untouched{7};
  RawSerializer::write({}, &untouched);
  CHECK(untouched == std::byte{7});
  int calls = 0;
  auto listener = [&](Bytes bytes) {
    CHECK(bytes.empty());
    ++calls;
  };
  CHECK(RawSerializer::read(0, {}, listener));
  CHECK(calls == 1);
}

TEST_CASE("a raw message with a type number is malformed", "[raw]") {
  int calls = 0;
  auto listener = [&](Bytes) { ++calls; };
  for (const unsigned tag : {1U, 2U, 255U, 65535U}) {
    CHECK(RawSerializer::read(static_cast<std::uint16_t>(tag), {}, listener).error() ==
          Errc::malformed);
  }
  CHECK(calls == 0);
}
