#include <strait/overloaded.hpp>
#include <strait/serializers/struct.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/struct_messages.hpp"

using namespace std::chrono_literals;
using strait::Errc;
using strait::StructSerializer;
using namespace strait_test;

namespace struct_test {

enum class Colour : std::uint8_t { red, green, blue };

struct Point {
  float x = 0, y = 0;
  bool operator==(const Point&) const = default;
};
struct Padded {
  std::uint8_t a = 0;
  std::uint32_t b = 0;
  bool c = false;
  bool operator==(const Padded&) const = default;
};
struct Empty {
  bool operator==(const Empty&) const = default;
};
struct Numbers {
  std::int8_t a = -1;
  std::uint16_t b = 2;
  std::int64_t c = -3;
  float d = 4.5F;
  double e = -5.25;
  long double f = 6.125L;
  char g = 'g';
  wchar_t h = L'h';
  char16_t i = u'i';
  std::byte j{10};
  bool k = true;
  Colour l = Colour::blue;
  unsigned long long m = UINT64_MAX;
  bool operator==(const Numbers&) const = default;
};
struct Lists {
  std::string text = "a default that is not sent";
  std::vector<int> numbers{1, 2, 3};
  std::vector<std::string> texts;
  std::vector<bool> bits;
  std::vector<Point> points;
  std::vector<Padded> padded;
  std::vector<Empty> empties;
  std::deque<std::uint16_t> deque;
  std::list<Colour> list;
  std::vector<std::vector<double>> nested;
  std::u16string wide;
  bool operator==(const Lists&) const = default;
};
struct Parts {
  std::array<std::string, 2> array;
  int matrix[2][3] = {};
  std::optional<std::string> optional = "a default";
  std::optional<Empty> nothing;
  std::variant<std::monostate, int, std::string, Point> variant;
  std::pair<int, std::string> pair;
  std::tuple<bool, Point, std::vector<int>> tuple;
  std::map<std::string, int> map;
  std::unordered_map<std::uint64_t, std::vector<std::string>> hashed;
  std::chrono::milliseconds duration{};
  std::chrono::duration<double> seconds{};
  std::chrono::sys_time<std::chrono::microseconds> time{};
  Padded inner;
  bool operator==(const Parts&) const = default;
};
struct Node {
  int value = 0;
  std::unique_ptr<Node> next;
  std::vector<Node> children;
  bool operator==(const Node& other) const {
    return value == other.value && children == other.children &&
           (next ? other.next && *next == *other.next : !other.next);
  }
};
struct Views {
  std::uint8_t before = 0;
  std::string_view text;
  std::span<const std::uint64_t> words;
  std::uint8_t between = 0;
  std::span<const Point> points;
  std::u32string_view wide;
  std::span<const std::byte> bytes;
};
struct Flags {
  bool a = false, b = false;
  Colour colour{};
};
struct Wide {
  int m0 = 0, m1 = 1, m2 = 2, m3 = 3, m4 = 4, m5 = 5, m6 = 6, m7 = 7, m8 = 8, m9 = 9, m10 = 10,
      m11 = 11, m12 = 12, m13 = 13, m14 = 14, m15 = 15, m16 = 16, m17 = 17, m18 = 18, m19 = 19,
      m20 = 20, m21 = 21, m22 = 22, m23 = 23, m24 = 24, m25 = 25, m26 = 26, m27 = 27, m28 = 28,
      m29 = 29, m30 = 30;
  std::string m31;
  bool operator==(const Wide&) const = default;
};
struct Large {
  std::array<std::optional<std::uint64_t>, 2000> values;
};

/// A class of which the serializer sees nothing.
class Name {
 public:
  Name() = default;
  explicit Name(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }
  bool operator==(const Name&) const = default;

 private:
  std::string text_;
};
/// One that always takes the same bytes.
class Id {
 public:
  Id() = default;
  explicit Id(std::uint32_t value) : value_(value) {}
  std::uint32_t value() const { return value_; }
  bool operator==(const Id&) const = default;

 private:
  std::uint32_t value_ = 0;
};
struct Chain {
  std::vector<Id> ids;
  Id id;
  std::unique_ptr<Chain> next;
  bool operator==(const Chain& other) const {
    return ids == other.ids && id == other.id &&
           (next ? other.next && *next == *other.next : !other.next);
  }
};
struct Named {
  Name name;
  std::vector<Name> others;
  bool operator==(const Named&) const = default;
};

}  // namespace struct_test

template <>
struct strait::StructTraits<struct_test::Name> {
  using Representation = std::string_view;
  static std::string_view represent(const struct_test::Name& name) { return name.text(); }
  static bool assign(std::string_view text, struct_test::Name& name) {
    if (text == "nameless") return false;
    name = struct_test::Name(std::string(text));
    return true;
  }
};
template <>
struct strait::StructTraits<struct_test::Id> {
  using Representation = std::uint32_t;
  static std::uint32_t represent(struct_test::Id id) { return id.value(); }
  static bool assign(std::uint32_t value, struct_test::Id& id) {
    id = struct_test::Id(value);
    return true;
  }
};

namespace struct_test {

template <class T>
void check_round_trip(const T& message) {
  using Serializer = StructSerializer<T>;
  const auto bytes = encoded<Serializer>(message);
  for (const std::size_t shift : {0U, 1U, 8U, 13U}) {
    const Placed placed(bytes, shift);
    CHECK_FALSE(
        decode<Serializer, T>(placed.bytes(), [&](const T& read) { CHECK(read == message); }));
  }
}

template <class T>
constexpr std::size_t static_size =
    strait::detail::static_size<decltype(StructSerializer<T>::size(std::declval<const T&>()))>;
template <class T>
concept HasBytes = requires(const T& message) {
  StructSerializer<T>::bytes(message);
};

static_assert(strait::Serializer<StructSerializer<Point, Lists>>);
static_assert(StructSerializer<Point>::accepts<Point> && !StructSerializer<Point>::accepts<Padded>);
static_assert(static_size<Point> == 8 && HasBytes<Point>, "one memcpy");
static_assert(static_size<Flags> == 3 && HasBytes<Flags>);
static_assert(static_size<Padded> == 6 && !HasBytes<Padded>, "padding does not travel");
static_assert(static_size<Empty> == 0);
static_assert(static_size<std::array<Padded, 3>> == 18);
static_assert(static_size<std::pair<int, std::tuple<char, bool>>> == 6);
static_assert(static_size<std::chrono::seconds> == 8);
static_assert(static_size<Lists> == SIZE_MAX && !HasBytes<Lists>, "known from the value alone");
static_assert(static_size<Views> == SIZE_MAX && static_size<std::optional<int>> == SIZE_MAX);

}  // namespace struct_test

using namespace struct_test;

TEST_CASE("numbers come back as they were", "[struct]") {
  check_round_trip(Numbers());
  check_round_trip(Padded{1, 2, true});
  check_round_trip(Point{-0.0F, 1e30F});
  check_round_trip(Empty());
}

TEST_CASE("lists of any kind come back as they were", "[struct]") {
  check_round_trip(Lists());
  check_round_trip(Lists{"", {}, {}, {}, {}, {}, {}, {}, {}, {}, u""});
  check_round_trip(Lists{std::string("\0\xff", 2),
                         {INT32_MIN, 0, INT32_MAX},
                         {"", "one", std::string(1000, 'x')},
                         {true, false, true, true, false, false, true, false, true},
                         {{1, 2}, {3, 4}},
                         {{1, 2, true}, {3, 4, false}},
                         {{}, {}, {}},
                         {1, 2, 3},
                         {Colour::red, Colour::blue},
                         {{}, {1.5}, {2, 3}},
                         u"\u00e9t\u00e9"});
}

TEST_CASE("parts that may be missing, alternatives, maps and times come back", "[struct]") {
  check_round_trip(Parts());
  Parts parts{{"first", "second"},
              {{1, 2, 3}, {4, 5, 6}},
              std::nullopt,
              Empty(),
              std::string("third of four"),
              {7, "seven"},
              {true, {8, 9}, {10, 11}},
              {{"a", 1}, {"b", 2}, {"", 3}},
              {},
              -1500ms,
              std::chrono::duration<double>(0.25),
              std::chrono::sys_time<std::chrono::microseconds>(1'700'000'000'000'000us),
              {1, 2, true}};
  for (std::size_t key = 0; key != 500; ++key) {
    parts.hashed[key * 4096] = std::vector<std::string>(key % 3, "text");
  }
  check_round_trip(parts);
  parts.variant = Point{1, 2};
  parts.optional = "";
  check_round_trip(parts);
  parts.variant = -5;
  check_round_trip(parts);
}

TEST_CASE("a type may contain itself", "[struct]") {
  Node root{1, nullptr, {}};
  check_round_trip(root);
  root.next = std::make_unique<Node>(Node{2, std::make_unique<Node>(Node{3, nullptr, {}}), {}});
  root.children.push_back(Node{4, nullptr, {}});
  root.children.push_back(Node{5, std::make_unique<Node>(), {}});
  root.children.back().children.resize(3);
  check_round_trip(root);
}

TEST_CASE("a struct may have 32 members", "[struct]") {
  Wide wide;
  wide.m31 = "the last";
  check_round_trip(wide);
}

TEST_CASE("what is no struct may be a message, too", "[struct]") {
  check_round_trip(std::string("text"));
  check_round_trip(std::vector<std::string>{"a", "b"});
  check_round_trip(std::variant<int, std::string>("text"));
  check_round_trip(std::uint16_t{7});
}

TEST_CASE("a type that can't be seen into is sent as its traits say", "[struct]") {
  check_round_trip(Named{Name("one"), {Name(""), Name("three")}});
  CHECK_FALSE(reads<Name>(encoded<StructSerializer<Name>>(Name("nameless"))));
  CHECK(reads<Name>(encoded<StructSerializer<Name>>(Name("named"))));
  static_assert(static_size<std::array<Id, 3>> == 12);
  check_round_trip(Id(7));
}

TEST_CASE("views show what lies in the message, aligned wherever it lies", "[struct]") {
  using Serializer = StructSerializer<Views>;
  const std::uint64_t words[] = {1, UINT64_MAX, 3};
  const Point points[] = {{1, 2}, {3, 4}};
  const std::byte last[] = {std::byte{9}};
  const Views views{7, "text", words, 8, points, U"wide", last};
  const auto bytes = encoded<Serializer>(views);
  for (std::size_t shift = 0; shift != 64; ++shift) {
    CAPTURE(shift);
    const Placed placed(bytes, shift);
    CHECK_FALSE(decode<Serializer, Views>(placed.bytes(), [&](const Views& read) {
      CHECK(read.before == 7);
      CHECK(read.text == "text");
      REQUIRE(read.words.size() == 3);
      CHECK(reinterpret_cast<std::uintptr_t>(read.words.data()) % alignof(std::uint64_t) == 0);
      CHECK(std::memcmp(read.words.data(), words, sizeof words) == 0);
      CHECK(read.between == 8);
      REQUIRE(read.points.size() == 2);
      CHECK(reinterpret_cast<std::uintptr_t>(read.points.data()) % alignof(Point) == 0);
      CHECK(read.points[1] == points[1]);
      CHECK(read.wide == U"wide");
      CHECK(read.bytes.size() == 1);
      const bool inside =
          read.text.data() >= reinterpret_cast<const char*>(placed.bytes().data()) &&
          read.text.data() <
              reinterpret_cast<const char*>(placed.bytes().data() + placed.bytes().size());
      CHECK(inside == (shift % alignof(std::uint64_t) == 0));
    }));
  }
  CHECK_FALSE(decode<Serializer, Views>(encoded<Serializer>(Views()), [](const Views& read) {
    CHECK((read.text.empty() && read.words.empty() && read.wide.empty()));
  }));
}

TEST_CASE("a large message with views is read where it lies, or not at all", "[struct]") {
  using Serializer = StructSerializer<Views>;
  const std::vector<std::uint64_t> words(1000, 5);
  const auto bytes = encoded<Serializer>(Views{1, "", words, 2, {}, {}, {}});
  const Placed aligned(bytes);
  CHECK_FALSE(decode<Serializer, Views>(aligned.bytes(), [&](const Views& read) {
    REQUIRE(read.words.size() == words.size());
    CHECK(reinterpret_cast<const std::byte*>(read.words.data()) == aligned.bytes().data() + 16);
  }));
  const Placed shifted(bytes, 4);
  CHECK(decode<Serializer, Views>(shifted.bytes(), [](const Views&) {}) == Errc::malformed);
}

TEST_CASE("one side may view what the other one owns", "[struct]") {
  struct Owned {
    std::string text;
    std::vector<std::uint32_t> words;
  };
  struct Viewed {
    std::string_view text;
    std::span<const std::uint32_t> words;
  };
  const std::uint32_t words[] = {1, 2, 3};
  const Viewed viewed{"hello", words};
  const Owned owned{"hello", {1, 2, 3}};
  CHECK(encoded<StructSerializer<Viewed>>(viewed) == encoded<StructSerializer<Owned>>(owned));
}

TEST_CASE("plain numbers are read where they lie", "[struct]") {
  using Serializer = StructSerializer<Point>;
  const Point point{1, 2};
  CHECK(static_cast<const void*>(Serializer::bytes(point).data()) == &point);
  const auto bytes = encoded<Serializer>(point);
  CHECK(std::memcmp(bytes.data(), &point, sizeof point) == 0);
  for (std::size_t shift = 0; shift != 8; ++shift) {
    const Placed placed(bytes, shift);
    CHECK_FALSE(decode<Serializer, Point>(placed.bytes(), [&](const Point& read) {
      CHECK(read == point);
      CHECK(reinterpret_cast<std::uintptr_t>(&read) % alignof(Point) == 0);
      const bool there = reinterpret_cast<const std::byte*>(&read) == placed.bytes().data();
      CHECK(there == (shift % alignof(Point) == 0));
    }));
  }
}

TEST_CASE("an object too large for the stack is made elsewhere", "[struct]") {
  Large large;
  large.values[1999] = 7;
  const auto bytes = encoded<StructSerializer<Large>>(large);
  CHECK(bytes.size() == 2000 + 8);
  CHECK_FALSE(decode<StructSerializer<Large>, Large>(
      bytes, [](const Large& read) { CHECK(read.values[1999] == 7U); }));
}

TEST_CASE("the bytes are as the header says", "[struct]") {
  struct Message {
    std::uint16_t number;
    bool flag;
    std::string text;
    std::vector<std::uint32_t> words;
    std::optional<std::uint8_t> present, missing;
    std::variant<int, std::uint8_t> variant;
    std::vector<std::monostate> empties;
    std::map<std::uint8_t, bool> map;
  };
  const Message message{0x0102, true, "ab", {1}, 5, {}, std::uint8_t{6}, {{}, {}}, {{7, true}}};
  const auto expected = [] {
    std::vector<std::byte> bytes(3);
    const std::uint16_t number = 0x0102;
    std::memcpy(bytes.data(), &number, 2);
    bytes[2] = std::byte{1};
    const auto count = [&](std::uint32_t value) {
      bytes.resize(bytes.size() + 4);
      std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);
    };
    const auto byte = [&](unsigned value) { bytes.push_back(static_cast<std::byte>(value)); };
    count(2), byte('a'), byte('b');
    count(1), byte(0), byte(0), byte(0), count(1);  // from 13 up to 16
    byte(1), byte(5), byte(0);
    byte(1), byte(6);
    count(2), byte(0), byte(0);
    count(1), byte(7), byte(1);
    return bytes;
  }();
  CHECK(encoded<StructSerializer<Message>>(message) == expected);
}

TEST_CASE("each struct comes back to the callable for its type", "[struct]") {
  using Serializer = StructSerializer<Point, Lists, Empty>;
  std::vector<std::string> heard;
  strait::overloaded listener{[&](const Point&) { heard.push_back("point"); },
                              [&](const Lists& lists) { heard.push_back(lists.text); },
                              [&](const Empty&) { heard.push_back("empty"); }};
  const auto pass = [&](const auto& message) {
    const auto bytes = encoded<Serializer>(message);
    CHECK(Serializer::read(Serializer::tag(message), bytes, listener));
  };
  Lists lists;
  lists.text = "lists";
  pass(lists);
  pass(Point());
  pass(Empty());
  CHECK(heard == std::vector<std::string>{"lists", "point", "empty"});
}

TEST_CASE("a good struct that the listener does not take is unexpected", "[struct]") {
  using Serializer = StructSerializer<Point, std::string>;
  auto listener = [](const Point&) {};
  const auto text = encoded<Serializer>(std::string("text"));
  CHECK(Serializer::read(1, text, listener).error() == Errc::unexpected_message);
  CHECK(Serializer::read(1, std::span(text).first(5), listener).error() == Errc::malformed);
  CHECK(Serializer::read(2, text, listener).error() == Errc::malformed);
  CHECK(Serializer::read(65535, {}, listener).error() == Errc::malformed);
}

TEST_CASE("what has no encoding is too large for any channel", "[struct]") {
  Node root;
  Node* last = &root;
  for (std::uint32_t depth = 0; depth != strait::detail::structs::max_depth; ++depth) {
    last->next = std::make_unique<Node>();
    last = last->next.get();
  }
  CHECK(StructSerializer<Node>::size(root) < 1000);
  check_round_trip(root);
  last->next = std::make_unique<Node>();
  CHECK(StructSerializer<Node>::size(root) == SIZE_MAX);

  // What always takes the same bytes may stand at the end of it.
  Chain chain;
  Chain* link = &chain;
  for (std::uint32_t depth = 0; depth != strait::detail::structs::max_depth; ++depth) {
    link->next = std::make_unique<Chain>();
    link = link->next.get();
    link->id = Id(depth);
    link->ids = {Id(1), Id(2)};
  }
  check_round_trip(chain);

  struct Throwing {
    operator Named() const { throw 1; }
  };
  std::variant<int, Named> valueless;
  CHECK_THROWS(valueless.emplace<1>(Throwing()));
  CHECK(StructSerializer<std::variant<int, Named>>::size(valueless) == SIZE_MAX);

  const char letter = 'x';
  // More than a list can have or, where addresses have 32 bits, more than that together.
  const std::string_view half(&letter, SIZE_MAX / 2);
  using Views = std::array<std::string_view, 3>;
  CHECK(StructSerializer<Views>::size(Views{half, half, half}) == SIZE_MAX);
  using Words = std::array<std::span<const std::uint64_t>, 3>;
  const std::span<const std::uint64_t> words(static_cast<const std::uint64_t*>(nullptr),
                                             SIZE_MAX / 8);
  CHECK(StructSerializer<Words>::size(Words{words, words, words}) == SIZE_MAX);
}
