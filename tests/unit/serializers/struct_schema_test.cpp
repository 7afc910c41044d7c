#include <strait/serializers/struct.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/struct_messages.hpp"

using strait::Errc;
using strait::Evolving;
using strait::StructSerializer;
using namespace strait_test;

namespace struct_schema_test {

// Each name stands for one type as two builds have it, so the namespaces do not count.
namespace one {
enum class Colour : std::uint8_t { red, green };
struct Pose {
  float x, y;
  int id;
};
struct Text {
  std::string text;
  std::vector<std::uint32_t> words;
  std::unique_ptr<int> owned;
  std::map<int, bool> map;
};
struct Versioned {
  int x;
};
struct Node {
  int value;
  std::vector<Node> children;
};
struct Pair {
  Node node;
  std::optional<Node> other;
};
struct Timed {
  std::chrono::milliseconds time;
};
struct Coloured {
  Colour colour;
};
struct Variant {
  std::variant<int, std::string> value;
};
}  // namespace one
namespace two {
enum class Colour : std::uint8_t { green, red };
struct Pose {
  int id;
  float x, y;
};
struct Text {
  std::string_view text;
  std::span<const std::uint32_t> words;
  std::optional<int> owned;
  std::unordered_map<int, bool> map;
};
struct Versioned {
  int x;
  static constexpr int schema_version = 2;
};
struct Node {
  unsigned value;
  std::vector<Node> children;
};
struct Pair {
  Node node;
  std::optional<Node> other;
};
struct Timed {
  std::chrono::microseconds time;
};
struct Coloured {
  Colour colour;
};
struct Variant {
  std::variant<int, std::string, bool> value;
};
}  // namespace two

template <class... Ts>
constexpr std::uint64_t hash_of = StructSerializer<Ts...>::schema_hash;
template <class A, class B>
constexpr bool differ = hash_of<A> != hash_of<B>;

static_assert(differ<one::Pose, two::Pose>, "members in another order");
static_assert(!differ<one::Text, two::Text>, "the same bytes, viewed or owned");
static_assert(differ<one::Versioned, two::Versioned>, "a version of the user's");
static_assert(differ<one::Node, two::Node>, "a type that contains itself");
static_assert(differ<one::Pair, two::Pair>);
static_assert(differ<one::Timed, two::Timed>, "other units");
static_assert(differ<one::Coloured, two::Coloured>, "enumerators with other values");
static_assert(differ<one::Variant, two::Variant>);
static_assert(differ<one::Pose, one::Timed>);
static_assert(differ<std::array<int, 2>, std::array<int, 3>>);
static_assert(differ<std::vector<int>, std::vector<unsigned>>);
static_assert(differ<std::vector<int>, std::optional<int>>);
static_assert(hash_of<one::Pose, one::Text> != hash_of<one::Text, one::Pose>);
static_assert(hash_of<std::vector<unsigned long long>> == hash_of<std::vector<std::uint64_t>>);

// The same from every compiler, standard library and processor, but for what a long double is.
using All = std::tuple<one::Pose, one::Text, one::Node, one::Pair, one::Timed, one::Coloured,
                       one::Variant, std::u16string, std::array<std::byte, 2>,
                       std::chrono::sys_seconds, std::pair<bool, long double>, std::monostate>;
constexpr std::uint64_t all_hash(int bits_of_long_double) {
  switch (bits_of_long_double) {
    case 53: return 0xdf46'c3f2'0089'6696;   // ARM of 32 bits, macOS on ARM
    case 64: return 0xa402'2dd6'02a2'4b07;   // x86
    case 113: return 0xd64a'7d78'db48'a8a3;  // ARM of 64 bits, RISC-V, s390x
    default: return 0;
  }
}
static_assert(hash_of<All> == all_hash(std::numeric_limits<long double>::digits));

// A type as its releases have it.
namespace first {
struct Request {
  std::string path;
  int depth = 1;
};
struct Reply {
  int code = 0;
};
using Serializer = StructSerializer<Evolving<Request, Reply>>;
}  // namespace first
namespace second {
struct Request {
  std::string path;
  int depth = 1;
  std::optional<std::string> user = "a guest";
  static constexpr std::size_t schema_base_members = 2;
};
struct Reply {
  int code = 0;
};
struct Cancel {
  int id = 0;
};
using Serializer = StructSerializer<Evolving<Request, Reply>, Cancel>;
}  // namespace second
namespace third {
struct Request {
  std::string path;
  int depth = 1;
  std::optional<std::string> user = "ada";
  std::span<const std::uint64_t> words;
  static constexpr std::size_t schema_base_members = 2;
};
struct Reply {
  int code = 0;
  float seconds = 0.5F;
  static constexpr std::size_t schema_base_members = 1;
};
struct Cancel {
  int id = 0;
};
struct Ping {};
using Serializer = StructSerializer<Evolving<Request, Reply>, Cancel, Ping>;
}  // namespace third
namespace other {
struct Request {
  std::string path;
  unsigned depth = 1;
};
struct Reply {
  int code = 0;
};
using Serializer = StructSerializer<Evolving<Request, Reply>>;
}  // namespace other
namespace changed {
struct Request {
  std::string path;
  int depth = 1;
  std::optional<int> user;
  static constexpr std::size_t schema_base_members = 2;
};
using Reply = second::Reply;
struct Cancel {
  float id = 0;
};
using Serializer = StructSerializer<Evolving<Request, Reply>, Cancel>;
}  // namespace changed
namespace fixed {
using Serializer = StructSerializer<first::Request, first::Reply>;
}

static_assert(first::Serializer::schema_hash == second::Serializer::schema_hash);
static_assert(first::Serializer::schema_hash == third::Serializer::schema_hash);
static_assert(first::Serializer::schema_hash != other::Serializer::schema_hash);
static_assert(first::Serializer::schema_hash != fixed::Serializer::schema_hash);
static_assert(first::Serializer::schema_hash !=
              StructSerializer<Evolving<first::Request>>::schema_hash);
static_assert(decltype(third::Serializer::size(third::Reply()))::value == 4 + 4 + 4);
static_assert(decltype(first::Serializer::size(first::Reply()))::value == 4);
static_assert(decltype(second::Serializer::size(second::Cancel()))::value == 4 + 4);

}  // namespace struct_schema_test

using namespace struct_schema_test;

TEST_CASE("an older build reads what a newer one sends", "[struct]") {
  const std::uint64_t words[] = {1, 2, 3};
  const auto from_third = encoded<third::Serializer>(third::Request{"path", 7, "ada", words});
  CHECK_FALSE(decode<first::Serializer, first::Request>(from_third, [](const auto& request) {
    CHECK(request.path == "path");
    CHECK(request.depth == 7);
  }));
  CHECK_FALSE(decode<second::Serializer, second::Request>(
      from_third, [](const auto& request) { CHECK(request.user == "ada"); }));
  CHECK_FALSE(decode<third::Serializer, third::Request>(
      from_third, [](const auto& request) { CHECK(request.words.size() == 3); }));
  // Of plain numbers, which are read where they lie.
  CHECK_FALSE(decode<first::Serializer, first::Reply>(
      encoded<third::Serializer>(third::Reply{9, 1}),
      [](const auto& reply) { CHECK(reply.code == 9); }, 1));
}

TEST_CASE("a newer build has defaults for what an older one does not send", "[struct]") {
  const auto from_first = encoded<first::Serializer>(first::Request{"path", 7});
  CHECK_FALSE(decode<second::Serializer, second::Request>(from_first, [](const auto& request) {
    CHECK(request.depth == 7);
    CHECK(request.user == "a guest");
  }));
  const auto from_second = encoded<second::Serializer>(second::Request{"path", 7, {}});
  CHECK_FALSE(decode<third::Serializer, third::Request>(from_second, [](const auto& request) {
    CHECK(request.user == std::nullopt);
    CHECK(request.words.empty());
  }));
  CHECK_FALSE(decode<third::Serializer, third::Reply>(
      encoded<first::Serializer>(first::Reply{9}),
      [](const auto& reply) {
        CHECK(reply.code == 9);
        CHECK(reply.seconds == 0.5F);
      },
      1));
}

TEST_CASE("a message of a type that only a newer build has is unexpected", "[struct]") {
  auto listener = [](const first::Reply&) {};
  const auto cancel = encoded<second::Serializer>(second::Cancel{1});
  CHECK(second::Serializer::tag(second::Cancel()) == 2);
  CHECK(first::Serializer::read(2, cancel, listener).error() == Errc::unexpected_message);
  CHECK_FALSE(decode<third::Serializer, third::Cancel>(
      cancel, [](const auto& read) { CHECK(read.id == 1); }, 2));
  CHECK(decode<changed::Serializer, changed::Cancel>(
            cancel, [](const auto&) {}, 2) == Errc::malformed);
}

TEST_CASE("an appended member that is cut or of another type is malformed", "[struct]") {
  const auto bytes = encoded<second::Serializer>(second::Request{"path", 7, "ada"});
  const std::size_t base = encoded<first::Serializer>(first::Request{"path", 7}).size();
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CAPTURE(size);
    const auto why = decode<second::Serializer, second::Request>(std::span(bytes).first(size),
                                                                 [](const auto&) {});
    CHECK(why == (size == base ? std::error_code() : make_error_code(Errc::malformed)));
  }
  CHECK(decode<changed::Serializer, changed::Request>(bytes, [](const auto&) {}) ==
        Errc::malformed);
}
