#include <strait/base/padding.hpp>

#include <array>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using strait::detail::padding_free;

namespace padding_test {

struct Tight {
  std::uint32_t a, b;
};
struct Hole {
  std::uint8_t a;
  std::uint32_t b;
};
struct Tail {
  std::uint32_t b;
  std::uint8_t a;
};
struct Floats {
  float a;
  float b;
  double c;
};
struct FloatHole {
  float a;
  double b;
};
struct DeepHole {
  std::uint64_t a;
  std::array<Hole, 3> b;
};
struct Empty {};
struct Bits {
  std::uint32_t a : 3;
  std::uint32_t b : 7;
};
struct WideFloat {
  long double a;
};
struct WideFloats {
  WideFloat a[2];
};
struct Vouched {
  float a[5000];
};

}  // namespace padding_test

template <>
inline constexpr bool strait::no_padding<padding_test::Vouched> = true;

namespace padding_test {

static_assert(padding_free<std::uint64_t>());
static_assert(padding_free<float>() && padding_free<double>());
static_assert(padding_free<float[7]>());
static_assert(padding_free<Tight>());
static_assert(padding_free<Floats>(), "floating point has no padding, whatever its zeros");
static_assert(padding_free<Vouched>(), "who knows better may say so");
static_assert(!padding_free<Hole>());
static_assert(!padding_free<Tail>());
static_assert(!padding_free<FloatHole>());
static_assert(!padding_free<DeepHole>());
static_assert(!padding_free<Empty>());
static_assert(!padding_free<Bits>());
constexpr bool is_extended = std::numeric_limits<long double>::digits == 64;
static_assert(padding_free<long double>() != is_extended, "ten bytes of sixteen, or of twelve");
static_assert(padding_free<WideFloat>() != is_extended);
static_assert(padding_free<WideFloats>() != is_extended, "also where it lies deeper");

}  // namespace padding_test

TEST_CASE("padding is found where the compiler puts it", "[padding]") {
  // What is to be proved stands in the static assertions above.
  CHECK(padding_free<padding_test::Tight>());
}
