#include <strait/base/type_name.hpp>

#include <cstdint>

#include "support/catch.hpp"

using strait::detail::fnv;
using strait::detail::fnv_basis;
using strait::detail::type_name;

namespace type_name_test {

struct Plain {};
enum class Colour : std::uint8_t { red };
template <class T>
struct Box {
  T content;
};
namespace inner {
struct Plain {};
}  // namespace inner
namespace {
struct Hidden {};
}  // namespace

static_assert(type_name<Plain>() == "Plain");
static_assert(type_name<inner::Plain>() == "Plain", "namespaces do not count");
static_assert(type_name<Hidden>() == "Hidden");
static_assert(type_name<Colour>() == "Colour");
static_assert(type_name<Box<Plain>>() == "Box");
// One compiler says "long unsigned int", the other "unsigned long".
static_assert(type_name<unsigned long>() == type_name<unsigned long long>());
static_assert(type_name<long>() == type_name<long long>());
static_assert(type_name<unsigned short>() == type_name<unsigned int>());
static_assert(type_name<int>() != type_name<unsigned>());
static_assert(type_name<int>() != type_name<float>());
static_assert(type_name<bool>() != type_name<unsigned char>());

}  // namespace type_name_test

TEST_CASE("hashes depend on every byte and on their order", "[type_name]") {
  CHECK(fnv(fnv_basis, "ab") != fnv(fnv_basis, "ba"));
  CHECK(fnv(fnv_basis, "") == fnv_basis);
  CHECK(fnv(fnv_basis, std::uint64_t{1}) != fnv(fnv_basis, std::uint64_t{1} << 56));
}
