#include <strait/rights/shared_memory.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "support/catch.hpp"

using strait::Errc;
using strait::SharedMemory;
using strait::detail::Right;

TEST_CASE("shared memory has the size it was made with, and is zero", "[shared_memory]") {
  for (const std::size_t asked : {1u, 4095u, 4096u, 4097u, 1'000'000u}) {
    const std::size_t size = strait::os::memory_file_bytes(asked);
    CHECK(size >= asked);
    const auto memory = SharedMemory::create(asked).value();
    CHECK(memory.size_bytes() == size);
    const auto bytes = memory.map().value();
    REQUIRE(bytes.span().size() == size);
    std::size_t set = 0;
    for (const std::byte byte : bytes.span()) set += byte != std::byte{0} ? 1 : 0;
    CHECK(set == 0);
  }
  CHECK(SharedMemory::create(0).error() == std::errc::invalid_argument);
}

TEST_CASE("two mappings see each other, also after the memory's owner is gone", "[shared_memory]") {
  auto memory = SharedMemory::create(8).value();
  auto first = memory.map<std::uint64_t>().value();
  const auto second = memory.map<const std::uint64_t>().value();
  { const auto gone = std::move(memory); }
  *first = 7;
  CHECK(*second == 7);
  *first.get() = 8;
  CHECK(second.span()[0] == 8);
}

TEST_CASE("a duplicate is the same memory", "[shared_memory]") {
  auto memory = SharedMemory::create(8).value();
  const auto copy = memory.duplicate().value();
  *memory.map<int>().value() = 5;
  CHECK(*copy.map<int>().value() == 5);
  CHECK(copy.size_bytes() == memory.size_bytes());
}

TEST_CASE("memory is mapped as what there is room for", "[shared_memory]") {
  struct Large {
    std::uint64_t words[1 << 17];
  };
  const auto memory = SharedMemory::create(23).value();
  CHECK(memory.map<Large>().error() == Errc::bad_region);
  CHECK(memory.map<std::uint64_t>().value().span().size() == memory.size_bytes() / 8);
  CHECK(memory.map<std::atomic<std::uint32_t>>().value().span().size() == memory.size_bytes() / 4);
}

TEST_CASE("nobody can change the size of shared memory", "[shared_memory]") {
  auto memory = SharedMemory::create(100).value();
  const auto mapped = memory.map().value();
  const Right right = memory.into_right().value();
  CHECK(::ftruncate(right.descriptor.get(), 10) != 0);
  CHECK(::ftruncate(right.descriptor.get(), 1000) != 0);
}

TEST_CASE("memory that was given away is there no more", "[shared_memory]") {
  auto memory = SharedMemory::create(100).value();
  Right right = memory.into_right().value();
  CHECK(memory.size_bytes() == 0);
  CHECK(memory.into_right().error() == Errc::wrong_right);
  CHECK_FALSE(memory.map());
  memory = SharedMemory::from_right(right).value();
  CHECK_FALSE(right.descriptor);
  CHECK(memory.size_bytes() == strait::os::memory_file_bytes(100));
}
