#include <strait/base/structure.hpp>
#include <strait/serializers/trivial.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"

using strait::Errc;
using strait::TrivialSerializer;
using strait::detail::has_address;
using strait::detail::structure_hash;

namespace structure_test {

// Each name stands for one type as two builds have it, so the namespaces do not count.
namespace one {
struct Pose {
  float x, y;
  std::int32_t id;
};
struct Item {
  std::uint32_t price, count;
};
template <class T>
struct Sample {
  T value;
};
template <class T>
struct Outer {
  struct Id {
    std::uint32_t value;
  };
};
enum class Command : std::uint8_t { stop, go };
struct Versioned {
  int x;
};
struct Nested {
  one::Item item;
  bool flag;
};
struct Array {
  int values[4];
  int rest;
};
}  // namespace one
namespace two {
struct Pose {
  std::int32_t id;
  float x, y;
};
struct Item {
  std::uint32_t count, price;
};
enum class Command : std::uint8_t { go, stop };
struct Versioned {
  int x;
  static constexpr int schema_version = 2;
};
struct Nested {
  struct Item {
    std::uint32_t price;
    float count;
  } item;
  bool flag;
};
struct Array {
  int values[3];
  int rest[2];
};
}  // namespace two

template <class A, class B>
constexpr bool differ = structure_hash<A>() != structure_hash<B>();

static_assert(differ<one::Pose, two::Pose>, "members in another order");
static_assert(differ<one::Nested, two::Nested>, "an inner member of another type");
static_assert(differ<one::Array, two::Array>, "arrays of other extents");
static_assert(differ<std::array<float, 2>, std::array<std::int32_t, 2>>);
static_assert(differ<one::Sample<float>, one::Sample<std::int32_t>>);
static_assert(differ<one::Outer<float>::Id, one::Outer<int>::Id>, "nested in another template");
static_assert(differ<one::Command, two::Command>, "enumerators with other values");
static_assert(differ<one::Versioned, two::Versioned>, "a version of the user's");
static_assert(!differ<one::Item, two::Item>,
              "two of one type can't be told apart: see the comment");
static_assert(TrivialSerializer<one::Pose, one::Item>::schema_hash !=
              TrivialSerializer<one::Item, one::Pose>::schema_hash);
// The same from every compiler: this is what g++ and clang make of it.
static_assert(structure_hash<one::Sample<unsigned long long>>() ==
              structure_hash<one::Sample<std::uint64_t>>());
static_assert(structure_hash<one::Nested>() == 0x6286d0e8ccca94e9);

struct Pointer {
  int* p;
};
struct Deep {
  std::array<Pointer, 2> pointers;
};
struct View {
  std::string_view text;
};
struct Base {
  int x;
};
struct Derived : Base {
  int y;
};
struct WithUnion {
  union {
    int a;
    float b;
  };
  int c;
};
struct Bits {
  unsigned a : 3;
  unsigned b : 5;
};
class Closed {
 public:
  int x() const { return x_; }

 private:
  int x_ = 0;
};
static_assert(has_address<Pointer>() && has_address<Deep>() && has_address<View>());
static_assert(has_address<std::span<int>>() && has_address<std::reference_wrapper<int>>());
static_assert(has_address<int Base::*>() && has_address<std::nullptr_t>());
static_assert(!has_address<one::Nested>() && !has_address<Closed>() && !has_address<WithUnion>());
// What can't be taken apart is still a message.
static_assert(differ<Derived, WithUnion> && differ<Bits, Closed>);

struct Flagged {
  std::uint32_t before;
  bool flag;
  std::array<bool, 2> more;
  std::uint8_t last;
};
enum class Colour : std::uint16_t { red, green, blue };
enum class Rights : std::uint8_t { none = 0, read = 1, write = 2 };
enum class Far : std::uint32_t { ok = 0, not_found = 404 };
struct Coloured {
  std::uint16_t before;
  Colour colours[2];
};
struct Permitted {
  Rights rights;
  std::uint8_t between[3];
  Far far;
};
struct Own {
  bool flag;
  static bool valid(std::span<const std::byte, 1>) { return true; }
};

template <class T>
bool accepts(const std::array<unsigned char, sizeof(T)>& bytes) {
  bool heard = false;
  auto listener = [&](const T&) { heard = true; };
  const auto read = TrivialSerializer<T>::read(0, std::as_bytes(std::span(bytes)), listener);
  CHECK((heard || read.error() == Errc::malformed));
  return heard;
}

/// The same of a value, whose numbers have their bytes in whichever order there is.
template <class T>
bool accepts_value(const T& value) {
  return accepts<T>(std::bit_cast<std::array<unsigned char, sizeof(T)>>(value));
}

}  // namespace structure_test

TEST_CASE("a bool that is neither true nor false is malformed, wherever it lies", "[structure]") {
  using structure_test::Flagged;
  CHECK(structure_test::accepts<Flagged>({9, 9, 9, 9, 1, 0, 1, 0}));
  CHECK_FALSE(structure_test::accepts<Flagged>({9, 9, 9, 9, 2, 0, 1, 0}));
  CHECK_FALSE(structure_test::accepts<Flagged>({9, 9, 9, 9, 1, 0, 255, 0}));
}

TEST_CASE("an enumeration has only values that its enumerators can make", "[structure]") {
  using namespace structure_test;
  const auto colour = [](std::uint16_t number) { return static_cast<Colour>(number); };
  CHECK(accepts_value(Coloured{200, {colour(2), colour(0)}}));
  CHECK_FALSE(accepts_value(Coloured{200, {colour(4), colour(0)}}));
  CHECK_FALSE(accepts_value(Coloured{200, {colour(0), colour(63)}}));
  const auto rights = [](std::uint8_t number) { return static_cast<Rights>(number); };
  CHECK(accepts_value(Permitted{rights(3), {}, Far::not_found}));  // read | write
  CHECK_FALSE(accepts_value(Permitted{rights(4), {}, Far::ok}));
  CHECK_FALSE(accepts_value(Permitted{rights(1), {}, static_cast<Far>(5)}));
}

TEST_CASE("a type that checks itself is asked instead", "[structure]") {
  CHECK(structure_test::accepts<structure_test::Own>({7}));
}
