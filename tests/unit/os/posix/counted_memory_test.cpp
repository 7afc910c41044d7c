#include <strait/os/memory_file.hpp>
#include <strait/os/posix/counted_memory.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/catch.hpp"

using namespace strait::os;
using strait::Errc;

namespace {

/// Whole pages, as where sizes are rounded up.
constexpr std::size_t size = std::size_t{64} << 10;

Descriptor pages() { return create_memory_file("strait-test", size).value(); }

}  // namespace

TEST_CASE("as many bytes are read as were written, whatever the memory's size", "[memory_file]") {
  const std::size_t count = GENERATE(0u, 1u, 100u, 65'528u);
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i != count; ++i) bytes[i] = static_cast<std::byte>(i * 7);
  REQUIRE(counted_memory_bytes(count) <= size);
  const auto file = pages();
  REQUIRE(write_counted_memory(file.get(), bytes));
  const auto read = read_counted_memory(file.get(), size, count).value();
  CHECK(std::ranges::equal(read.bytes(), bytes));
  // It is a copy.
  REQUIRE(write_counted_memory(file.get(), std::vector<std::byte>(count)));
  CHECK(std::ranges::equal(read.bytes(), bytes));
  if (count != 0) {
    CHECK(read_counted_memory(file.get(), size, count - 1).error() == Errc::bad_region);
  }
}

TEST_CASE("a count of more bytes than there are is not believed", "[memory_file][hostile]") {
  const auto file = pages();
  const std::uint64_t count =
      GENERATE(std::uint64_t{size - 7}, std::uint64_t{size}, UINT64_MAX, UINT64_MAX - 7);
  const auto memory = Mapping::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get()).value();
  std::memcpy(memory.data(), &count, sizeof count);
  CHECK(read_counted_memory(file.get(), size, SIZE_MAX).error() == Errc::bad_region);
  CHECK(read_counted_memory(file.get(), 7, SIZE_MAX).error() == Errc::bad_region);
  CHECK(read_counted_memory(file.get(), 0, SIZE_MAX).error() == Errc::bad_region);
}
