// Memory whose seals say what a peer can still do to it.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "strait/os/memory_file.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"
#include "support/catch.hpp"

using strait::Errc;
using strait::Semaphore;
using strait::SharedMemory;
using strait::detail::Right;
using strait::os::Descriptor;

namespace {

const std::array<std::byte, 100> bytes{std::byte{1}, std::byte{2}};

Right right_of(Descriptor descriptor) { return {std::move(descriptor)}; }

}  // namespace

TEST_CASE("what is in a memory file is what it was made of", "[memory_file]") {
  const auto file = strait::os::memory_file_of(bytes).value();
  const auto contents = strait::os::contents_of(file.get(), 100).value();
  CHECK(std::equal(contents.bytes().begin(), contents.bytes().end(), bytes.begin(), bytes.end()));
  CHECK(strait::os::contents_of(file.get(), 99).error() == Errc::bad_region);
  const auto nothing = strait::os::memory_file_of({}).value();
  CHECK(strait::os::contents_of(nothing.get(), 0).value().size() == 0);
}

TEST_CASE("the contents of a file that could change are not taken", "[memory_file][hostile]") {
  const Descriptor unsealed(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(strait::os::contents_of(unsealed.get(), 100).error() == Errc::bad_region);
  const auto only_its_size = strait::os::create_memory_file("x", 100).value();
  REQUIRE(strait::os::add_seals(only_its_size.get(), strait::os::seals_of_size));
  CHECK(strait::os::contents_of(only_its_size.get(), 100).error() == Errc::bad_region);
  const auto device = strait::os::open("/dev/null", O_RDONLY).value();
  CHECK(strait::os::contents_of(device.get(), 100).error() == Errc::bad_region);
}

TEST_CASE("nobody can add a seal to shared memory", "[memory_file]") {
  auto memory = SharedMemory::create(100).value();
  const Right right = memory.into_right().value();
  CHECK(::fcntl(right.descriptor.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
}

TEST_CASE("memory that could change its size is not taken", "[memory_file][hostile]") {
  const auto take = [](Descriptor descriptor) {
    Right right = right_of(std::move(descriptor));
    auto memory = SharedMemory::from_right(right);
    CHECK(right.descriptor.get() >= (memory ? -1 : 0));
    return memory ? std::error_code() : memory.error();
  };
  CHECK(take(strait::os::open("/dev/null", O_RDWR).value()) == Errc::bad_region);
  CHECK(take(Descriptor(::memfd_create("x", MFD_CLOEXEC))) == Errc::bad_region);
  for (const unsigned missing :
       {unsigned{F_SEAL_SHRINK}, unsigned{F_SEAL_GROW}, unsigned{F_SEAL_SEAL}}) {
    auto file = strait::os::create_memory_file("x", 100).value();
    REQUIRE(strait::os::add_seals(file.get(), strait::os::seals_of_size & ~missing));
    CHECK(take(std::move(file)) == Errc::bad_region);
  }
  // One that nobody can write to is memory, but not to be mapped for writing.
  Right read_only = right_of(strait::os::memory_file_of(bytes).value());
  const auto memory = SharedMemory::from_right(read_only).value();
  CHECK_FALSE(memory.map<std::uint64_t>());
  CHECK(memory.map<const std::uint64_t>());
}

TEST_CASE("memory is no semaphore unless it has room for one", "[memory_file][hostile]") {
  for (const std::size_t size : {1u, 7u}) {
    auto memory = SharedMemory::create(size).value();
    Right right = memory.into_right().value();
    CHECK(Semaphore::from_right(right).error() == Errc::wrong_right);
    CHECK(SharedMemory::from_right(right).value().size_bytes() == size);
  }
}

TEST_CASE("a file of a peer's that can't be written to is a bad region", "[memory_file][hostile]") {
  const auto map = [](int fd) {
    return strait::os::Mapping::map_received(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd).error();
  };
  const auto file = strait::os::create_memory_file("strait-test", 4096).value();
  CHECK_FALSE(map(file.get()));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  CHECK(map(strait::os::open(path.c_str(), O_RDONLY).value().get()) == strait::Errc::bad_region);
  REQUIRE(strait::os::add_seals(file.get(), F_SEAL_WRITE));
  CHECK(map(file.get()) == strait::Errc::bad_region);
}
