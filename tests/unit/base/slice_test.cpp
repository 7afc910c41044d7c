#include <strait/base/slice.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using strait::detail::Slice;

// What may be written is not made of what may only be read.
static_assert(std::is_convertible_v<Slice<int>, Slice<const int>>);
static_assert(!std::is_convertible_v<Slice<const int>, Slice<int>>);
static_assert(!std::is_convertible_v<const std::vector<int>&, Slice<int>>);
static_assert(!std::is_convertible_v<std::span<const std::byte>, Slice<const int>>);

TEST_CASE("a slice is where its list is, and a part of it where that part is", "[base][slice]") {
  int plain[] = {1, 2, 3};
  std::array<int, 3> array{4, 5, 6};
  const std::vector<int> vector{7, 8, 9};
  CHECK(Slice<int>(plain).data() == plain);
  CHECK(Slice<const int>(plain).size() == 3);
  CHECK(Slice<const int>(array).data() == array.data());
  const Slice<const int> all(vector);
  CHECK(all.size_bytes() == 3 * sizeof(int));
  CHECK(all.first(2).end() == vector.data() + 2);
  CHECK(all.subspan(1)[0] == 8);
  CHECK(all.subspan(3).empty());
  const Slice<int> writable(array);
  writable[1] = 10;
  CHECK(array[1] == 10);
  CHECK(Slice<int>().empty());
}
