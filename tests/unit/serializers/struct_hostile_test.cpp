#include <strait/serializers/struct.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/struct_messages.hpp"

using strait::Errc;
using strait::StructSerializer;
using namespace strait_test;

namespace struct_hostile_test {

enum class Colour : std::uint8_t { red, green, blue };
enum class Level : std::int16_t { low = -100, high = 300 };
enum class Answer : bool { no, yes };

struct Empty {
  bool operator<(const Empty&) const { return false; }
};
struct Checked {
  std::uint16_t before = 0;
  bool flag = false;
  Colour colours[2] = {};
  std::uint8_t after = 0;
};
struct Node {
  std::unique_ptr<Node> next;
  std::vector<Node> children;
};
struct Everything {
  std::string text;
  std::vector<std::optional<std::uint16_t>> optionals;
  std::map<std::uint8_t, std::string> map;
  std::unordered_map<std::string, std::uint32_t> hashed;
  std::variant<std::monostate, bool, std::vector<std::string>> variant;
  std::span<const std::uint32_t> words;
  std::unique_ptr<Checked> owned;
  std::vector<bool> bits;
  Checked last;
};

std::vector<std::byte> count(std::uint32_t value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
std::vector<std::byte> operator+(std::vector<std::byte> a, const std::vector<std::byte>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace struct_hostile_test

template <>
struct strait::StructTraits<struct_hostile_test::Level> {
  using Level = struct_hostile_test::Level;
  static constexpr Level min = Level::low, max = Level::high;
};

using namespace struct_hostile_test;

TEST_CASE("a message that is cut or has bytes behind it is malformed", "[struct]") {
  Everything message;
  message.text = "text";
  message.optionals = {1, {}, 3};
  message.map = {{1, "one"}, {2, "two"}};
  message.hashed = {{"three", 3}};
  message.variant = std::vector<std::string>{"a", "b"};
  const std::uint32_t words[] = {4, 5};
  message.words = words;
  message.owned = std::make_unique<Checked>();
  message.bits = {true, false};
  const auto bytes = encoded<StructSerializer<Everything>>(message);
  CHECK(reads<Everything>(bytes));
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(reads<Everything>(std::span(bytes).first(size)));
  }
  CHECK_FALSE(reads<Everything>(bytes + raw(0)));
}

TEST_CASE("a bool is 0 or 1, wherever it lies", "[struct]") {
  CHECK(reads<bool>(raw(1)));
  CHECK_FALSE(reads<bool>(raw(2)));
  CHECK(reads<Checked>(raw(9, 9, 1, 0, 2, 9)));
  CHECK_FALSE(reads<Checked>(raw(9, 9, 2, 0, 2, 9)));
  CHECK_FALSE(reads<std::optional<Empty>>(raw(255)));
  CHECK_FALSE(reads<std::unique_ptr<Empty>>(raw(2)));
  CHECK(reads<std::vector<bool>>(count(2) + raw(1, 0)));
  CHECK_FALSE(reads<std::vector<bool>>(count(2) + raw(1, 3)));
  CHECK(reads<std::span<const bool>>(count(2) + raw(1, 0)));
  CHECK_FALSE(reads<std::span<const bool>>(count(2) + raw(1, 3)));
  CHECK_FALSE(reads<Answer>(raw(2)));
}

TEST_CASE("an enumeration has a value that its enumerators can make, or in its range", "[struct]") {
  CHECK(reads<Colour>(raw(2)));
  CHECK_FALSE(reads<Colour>(raw(4)));
  CHECK_FALSE(reads<Checked>(raw(9, 9, 1, 0, 63, 9)));
  CHECK_FALSE(reads<std::vector<Colour>>(count(3) + raw(0, 1, 8)));
  CHECK_FALSE(reads<std::deque<Colour>>(count(3) + raw(0, 1, 8)));
  const auto level = [](std::int16_t value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return reads<Level>(bytes);
  };
  CHECK((level(-100) && level(0) && level(300)));
  CHECK((!level(-101) && !level(301)));
}

TEST_CASE("a count of more than can follow is malformed before anything is allocated", "[struct]") {
  for (const std::uint32_t claim : {2U, 1000U, 0x7fff'ffffU, 0xffff'ffffU}) {
    CAPTURE(claim);
    CHECK_FALSE(reads<std::string>(count(claim) + raw(1)));
    CHECK_FALSE(reads<std::string_view>(count(claim) + raw(1)));
    CHECK_FALSE(reads<std::vector<std::uint64_t>>(count(claim) + raw(1, 2, 3, 4, 5, 6, 7, 8)));
    CHECK_FALSE(reads<std::span<const std::uint64_t>>(count(claim) + raw(0, 0, 0, 0, 0, 0, 0, 0)));
    CHECK_FALSE(reads<std::vector<std::string>>(count(claim) + count(0)));
    CHECK_FALSE(reads<std::vector<Empty>>(count(claim) + raw(0)));
    CHECK_FALSE(reads<std::deque<std::array<int, 0>>>(count(claim) + raw(0)));
    CHECK_FALSE(reads<std::map<Empty, Empty>>(count(claim) + raw(0)));
    CHECK_FALSE(reads<std::unordered_map<int, std::string>>(count(claim) + count(1) + count(0)));
  }
}

TEST_CASE("what takes no bytes takes one zero in a list", "[struct]") {
  CHECK(reads<std::vector<Empty>>(count(0)));
  CHECK(reads<std::vector<Empty>>(count(2) + raw(0, 0)));
  CHECK_FALSE(reads<std::vector<Empty>>(count(2) + raw(0, 1)));
  CHECK(reads<std::map<Empty, Empty>>(count(1) + raw(0)));
  CHECK_FALSE(reads<std::map<Empty, Empty>>(count(1) + raw(1)));
  CHECK_FALSE(reads<std::map<Empty, Empty>>(count(2) + raw(0, 0)));
}

TEST_CASE("what aligns a list is zeros", "[struct]") {
  struct Message {
    std::uint8_t before = 0;
    std::vector<std::uint16_t> words;
  };
  CHECK(reads<Message>(raw(7) + count(1) + raw(0, 1, 2)));
  CHECK_FALSE(reads<Message>(raw(7) + count(1) + raw(1, 1, 2)));
  CHECK(reads<Message>(raw(7) + count(0)));
  CHECK_FALSE(reads<Message>(raw(7) + count(0) + raw(0)));
}

TEST_CASE("a variant has an alternative", "[struct]") {
  using Variant = std::variant<Empty, std::uint8_t>;
  CHECK(reads<Variant>(raw(0)));
  CHECK(reads<Variant>(raw(1, 9)));
  CHECK_FALSE(reads<Variant>(raw(2, 9)));
  CHECK_FALSE(reads<Variant>(raw(255)));
}

TEST_CASE("a key is in a map once, and equal to itself", "[struct]") {
  using Map = std::map<std::uint8_t, bool>;
  CHECK(reads<Map>(count(2) + raw(2, 1, 1, 1)));
  CHECK_FALSE(reads<Map>(count(2) + raw(1, 0, 1, 1)));
  using Hashed = std::unordered_map<std::uint8_t, bool>;
  CHECK(reads<Hashed>(count(2) + raw(2, 1, 1, 1)));
  CHECK_FALSE(reads<Hashed>(count(2) + raw(1, 0, 1, 1)));
  const auto bytes_of = [](float number) { return count(std::bit_cast<std::uint32_t>(number)); };
  const auto not_a_number = bytes_of(std::numeric_limits<float>::quiet_NaN());
  const auto infinity = bytes_of(std::numeric_limits<float>::infinity());
  CHECK(reads<std::map<float, Empty>>(count(1) + infinity));
  CHECK_FALSE(reads<std::map<float, Empty>>(count(1) + not_a_number));
  CHECK_FALSE(reads<std::unordered_map<float, Empty>>(count(1) + not_a_number));
}

TEST_CASE("keys that are chosen to meet in one bucket are malformed", "[struct]") {
  using Map = std::unordered_map<std::uint64_t, Empty>;
  const std::uint32_t entries = 2000;
  Map map;
  map.reserve(entries | 1U);
  const std::uint64_t buckets = map.bucket_count();
  const auto bytes_of = [&](std::uint64_t step) {
    auto bytes = count(entries);
    for (std::uint64_t i = 0; i != entries; ++i) {
      std::vector<std::byte> key(sizeof i);
      const std::uint64_t value = i * step;
      std::memcpy(key.data(), &value, sizeof value);
      bytes = std::move(bytes) + key;
    }
    return bytes;
  };
  CHECK(reads<Map>(bytes_of(1)));
  CHECK(reads<Map>(bytes_of(4096)));
  CHECK_FALSE(reads<Map>(bytes_of(buckets)));
}

TEST_CASE("depth is bounded by the reader, too", "[struct]") {
  constexpr std::size_t most = strait::detail::structs::max_depth;
  const auto owners = [](std::size_t depth) {
    std::vector<std::byte> bytes(depth, std::byte{1});
    bytes = std::move(bytes) + raw(0);
    for (std::size_t i = 0; i <= depth; ++i) bytes = std::move(bytes) + count(0);
    return bytes;
  };
  CHECK(reads<Node>(owners(most)));
  CHECK_FALSE(reads<Node>(owners(most + 1)));
  CHECK_FALSE(reads<Node>(std::vector<std::byte>(1'000'000, std::byte{1})));
  const auto lists = [](std::size_t depth) {
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i != depth; ++i) bytes = std::move(bytes) + raw(0) + count(1);
    return std::move(bytes) + raw(0) + count(0);
  };
  CHECK(reads<Node>(lists(most)));
  CHECK_FALSE(reads<Node>(lists(most + 1)));
}

TEST_CASE("bytes with any one changed are a value or malformed", "[struct]") {
  Everything message;
  message.text = "text";
  message.optionals = {1, {}, 3};
  message.map = {{1, "one"}, {2, "two"}};
  message.hashed = {{"three", 3}};
  message.variant = true;
  message.owned = std::make_unique<Checked>();
  message.bits = {true};
  const auto bytes = encoded<StructSerializer<Everything>>(message);
  std::size_t values = 0;
  for (std::size_t at = 0; at != bytes.size(); ++at) {
    for (unsigned value = 0; value != 256; ++value) {
      auto changed = bytes;
      changed[at] = static_cast<std::byte>(value);
      values += reads<Everything>(changed);
    }
  }
  CHECK(values > bytes.size());
}
