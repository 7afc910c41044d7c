#include <strait/overloaded.hpp>
#include <strait/serializers/trivial.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::TrivialSerializer;

namespace trivial_test {

struct Ping {
  std::uint64_t id;
};
struct Pong {
  std::uint64_t id;
};
struct Padded {
  std::uint8_t a;
  std::uint32_t b;
  std::uint8_t c;
};
struct Empty {};
struct Numbers {
  float x;
  double y;
};
struct Points {
  float x, y, z;
};
struct alignas(64) Aligned {
  std::uint8_t byte;
};
struct LargeAligned {
  alignas(64) std::array<std::uint64_t, 1024> words;
};
struct Checked {
  std::uint8_t flag;
  static bool valid(std::span<const std::byte, 1> bytes) { return bytes[0] <= std::byte{1}; }
};
namespace other {
struct Ping {
  std::uint32_t id;
};
}  // namespace other

using Bytes = std::vector<std::byte>;

template <class Serializer, class T>
Bytes written(const T& message) {
  Bytes out(decltype(Serializer::size(message))::value, std::byte{0xee});
  Serializer::write(message, out.data());
  return out;
}

/// A value whose memory, padding and all, was 0xff before its members were set.
template <class T, class Fill>
Bytes written_over_dirt(Fill fill) {
  // On the heap and by pointer, so that no compiler copies the value around member by member.
  const auto memory = std::make_unique<std::array<std::byte, sizeof(T) + alignof(T)>>();
  void* place = memory->data();
  std::size_t room = memory->size();
  std::memset(place, 0xff, room);
  place = std::align(alignof(T), sizeof(T), place, room);
  T* message = static_cast<T*>(place);
  fill(*message);
  return written<TrivialSerializer<T>>(*message);
}

template <class T, class Member>
std::size_t offset_of(Member T::*member) {
  static T sample;
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&(sample.*member)) -
                                  reinterpret_cast<const char*>(&sample));
}

template <class T>
constexpr std::uint64_t hash_of = TrivialSerializer<T>::schema_hash;

static_assert(strait::Serializer<TrivialSerializer<Ping, Pong>>);
static_assert(TrivialSerializer<Ping>::accepts<Ping>);
static_assert(!TrivialSerializer<Ping>::accepts<Pong>);
static_assert(!TrivialSerializer<Ping>::accepts<int>);

static_assert(hash_of<Ping> != hash_of<Pong>, "names count");
static_assert(hash_of<Ping> != hash_of<other::Ping>, "sizes count");
static_assert(hash_of<Points> != hash_of<LargeAligned>);
static_assert(TrivialSerializer<Ping, Pong>::schema_hash !=
                  TrivialSerializer<Pong, Ping>::schema_hash,
              "order counts, as it numbers the types");
static_assert(TrivialSerializer<Ping, Pong>::schema_hash != hash_of<Ping>);
// Both compilers have to come to the same: the two sides may be built by different ones.
static_assert(hash_of<std::uint64_t> == hash_of<unsigned long long>);

}  // namespace trivial_test

using namespace trivial_test;

TEST_CASE("an empty message is one zero", "[trivial]") {
  CHECK(written_over_dirt<Empty>([](Empty&) {}) == Bytes(1, std::byte{0}));
}

#if STRAIT_HAS_CLEAR_PADDING
TEST_CASE("padding leaves as zeros, whatever was in it", "[trivial]") {
  const auto bytes = written_over_dirt<Padded>([](Padded& message) {
    message.a = 0x11;
    message.b = 0x2222'2222;
    message.c = 0x33;
  });
  Bytes expected(sizeof(Padded), std::byte{0});
  expected[offset_of(&Padded::a)] = std::byte{0x11};
  for (std::size_t i = 0; i != 4; ++i) expected[offset_of(&Padded::b) + i] = std::byte{0x22};
  expected[offset_of(&Padded::c)] = std::byte{0x33};
  CHECK(bytes == expected);
}

TEST_CASE("padding between numbers, and behind an over-aligned one, is zero", "[trivial]") {
  const auto numbers = written_over_dirt<Numbers>([](Numbers& message) {
    message.x = -1.5F;
    message.y = 2.25;
  });
  for (std::size_t i = sizeof(float); i != offset_of(&Numbers::y); ++i) {
    CHECK(numbers[i] == std::byte{0});
  }
  const auto aligned = written_over_dirt<Aligned>([](Aligned& message) { message.byte = 0x44; });
  Bytes expected(64, std::byte{0});
  expected[0] = std::byte{0x44};
  CHECK(aligned == expected);
}
#endif

TEST_CASE("what has no padding is taken from where it lies", "[trivial]") {
  const Points points{1, 2, 3};
  const auto bytes = TrivialSerializer<Points>::bytes(points);
  CHECK(static_cast<const void*>(bytes.data()) == &points);
  CHECK(bytes.size() == sizeof points);
  CHECK(std::memcmp(written<TrivialSerializer<Points>>(points).data(), &points, sizeof points) ==
        0);
}

TEST_CASE("every message comes back to the callable for its type", "[trivial]") {
  using Serializer = TrivialSerializer<Ping, Points, Empty>;
  std::vector<std::string> heard;
  strait::overloaded listener{
      [&](const Ping& ping) { heard.push_back("ping " + std::to_string(ping.id)); },
      [&](const Points& points) { heard.push_back("points " + std::to_string(points.y)); },
      [&](const Empty&) { heard.push_back("empty"); }};
  const auto pass = [&](const auto& message) {
    const auto bytes = written<Serializer>(message);
    CHECK(Serializer::read(Serializer::tag(message), bytes, listener));
  };
  pass(Ping{7});
  pass(Points{1, 2.5F, 3});
  pass(Empty{});
  CHECK(heard == std::vector<std::string>{"ping 7", "points 2.500000", "empty"});
}

TEST_CASE("a message may lie anywhere and is still read aligned", "[trivial]") {
  using Serializer = TrivialSerializer<Points, Ping>;
  const auto bytes = written<Serializer>(Ping{0x0102'0304'0506'0708});
  for (std::size_t shift = 0; shift != 8; ++shift) {
    Bytes moved(shift + bytes.size());
    std::memcpy(moved.data() + shift, bytes.data(), bytes.size());
    bool called = false;
    auto listener = [&](const Ping& ping) {
      called = true;
      CHECK(reinterpret_cast<std::uintptr_t>(&ping) % alignof(Ping) == 0);
      CHECK(ping.id == 0x0102'0304'0506'0708);
    };
    CHECK(Serializer::read(1, std::span(moved).subspan(shift), listener));
    CHECK(called);
  }
}

TEST_CASE("a large message of more than the heap's alignment is read in place or not at all",
          "[trivial]") {
  using Serializer = TrivialSerializer<LargeAligned>;
  strait::detail::ByteBuffer buffer;
  REQUIRE(buffer.extend(sizeof(LargeAligned) + 8) != nullptr);
  std::memset(buffer.data(), 5, buffer.size());
  const LargeAligned* seen = nullptr;
  auto listener = [&](const LargeAligned& message) { seen = &message; };
  CHECK(Serializer::read(0, buffer.bytes().first(sizeof(LargeAligned)), listener));
  CHECK(static_cast<const void*>(seen) == buffer.data());
  CHECK(Serializer::read(0, buffer.bytes().subspan(8), listener).error() == Errc::malformed);
}

TEST_CASE("a message of a wrong size or of an unknown type is malformed", "[trivial]") {
  using Serializer = TrivialSerializer<Ping, Empty>;
  int calls = 0;
  strait::overloaded listener{[&](const Ping&) { ++calls; }, [&](const Empty&) { ++calls; }};
  for (std::size_t size = 0; size != 20; ++size) {
    const Bytes bytes(size);
    CAPTURE(size);
    for (std::uint16_t tag = 0; tag != 2; ++tag) {
      const auto read = Serializer::read(tag, bytes, listener);
      const bool right = size == (tag == 0 ? sizeof(Ping) : sizeof(Empty));
      CHECK(read.has_value() == right);
      if (!right) CHECK(read.error() == Errc::malformed);
    }
    for (const unsigned unknown : {2U, 3U, 255U, 65535U}) {
      const auto tag = static_cast<std::uint16_t>(unknown);
      CHECK(Serializer::read(tag, bytes, listener).error() == Errc::malformed);
    }
  }
  CHECK(calls == 2);
}

TEST_CASE("a good message that the listener does not take is unexpected", "[trivial]") {
  using Serializer = TrivialSerializer<Ping, Pong>;
  auto listener = [](const Ping&) {};
  const Bytes bytes(8);
  CHECK(Serializer::read(0, bytes, listener));
  CHECK(Serializer::read(1, bytes, listener).error() == Errc::unexpected_message);
  // Garbage stays garbage, even where nobody would have listened.
  CHECK(Serializer::read(1, Bytes(7), listener).error() == Errc::malformed);
}

TEST_CASE("a type can look at the bytes before it is formed from them", "[trivial]") {
  using Serializer = TrivialSerializer<Checked>;
  int calls = 0;
  auto listener = [&](const Checked&) { ++calls; };
  CHECK(Serializer::read(0, Bytes{std::byte{1}}, listener));
  CHECK(Serializer::read(0, Bytes{std::byte{2}}, listener).error() == Errc::malformed);
  CHECK(calls == 1);
}
