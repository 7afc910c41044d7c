#include <strait/mach/linux/ring_memory.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <system_error>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::linux_mach::add_seals;
using strait::linux_mach::create_memory_file;
using strait::linux_mach::RingMemory;
using strait::linux_mach::seals_of_content;
using strait::linux_mach::seals_of_size;
using strait::os::Descriptor;

namespace {

const std::size_t page = strait::os::page_size();

std::error_code adopted(const Descriptor& file) { return RingMemory::adopt(file).error(); }

Descriptor file_with(std::size_t size, unsigned seals) {
  Descriptor file = create_memory_file("strait-test", size).value();
  if (seals != 0) REQUIRE(add_seals(file.get(), seals));
  return file;
}

}  // namespace

TEST_CASE("both sides of a ring's memory see the same bytes, twice in a row", "[ring_memory]") {
  Descriptor file;
  const auto made = RingMemory::create(4 * page, file).value();
  const auto taken = RingMemory::adopt(file).value();
  CHECK(taken.capacity() == 4 * page);
  auto writer = made.writer();
  const auto reader = taken.reader();
  for (int i = 0; i != 3; ++i) {
    // The third one lies across the end.
    std::byte* out = writer.reserve(page + 8).value();
    out[page] = std::byte{9};
    writer.stage({static_cast<std::uint32_t>(page + 8), 0, 1, 0});
  }
  static_cast<void>(writer.publish());
  auto copy = reader;
  for (int i = 0; i != 3; ++i) {
    CHECK(copy.body()[page] == std::byte{9});
    static_cast<void>(copy.pop(copy.peek().value()));
  }
}

TEST_CASE("a ring's file can't be resized or unsealed any more", "[ring_memory]") {
  Descriptor file;
  const auto made = RingMemory::create(page, file).value();
  CHECK(::ftruncate(file.get(), 0) == -1);
  CHECK(::ftruncate(file.get(), static_cast<off_t>(4 * page)) == -1);
  CHECK(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
}

TEST_CASE("memory that its maker could still shorten is no ring", "[ring_memory][hostile]") {
  CHECK_FALSE(adopted(file_with(2 * page, seals_of_size)));
  CHECK(adopted(file_with(2 * page, 0)) == Errc::bad_region);
  for (const int seal : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL}) {
    CHECK(adopted(file_with(2 * page, seals_of_size & ~static_cast<unsigned>(seal))) ==
          Errc::bad_region);
  }
}

TEST_CASE("memory of a size that no ring has is no ring", "[ring_memory][hostile]") {
  const std::size_t most = RingMemory::max_capacity;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, page - 1, page, page + 1, page + 8, page + page / 2,
        2 * page - 1, 2 * page + 1, 4 * page, page + 2 * most, page + (SIZE_MAX >> 24) + 1}) {
    CAPTURE(size);
    CHECK(adopted(file_with(size, seals_of_size)) == Errc::bad_region);
  }
  CHECK_FALSE(adopted(file_with(page + most, seals_of_size)));
}

TEST_CASE("memory that can't be written to is no ring", "[ring_memory][hostile]") {
  CHECK(adopted(file_with(2 * page, seals_of_content)));
#if defined(F_SEAL_FUTURE_WRITE)
  CHECK(adopted(file_with(2 * page, seals_of_size | F_SEAL_FUTURE_WRITE)));
#endif
  const Descriptor file = file_with(2 * page, seals_of_size);
  const std::string again = "/proc/self/fd/" + std::to_string(file.get());
  const Descriptor read_only = strait::os::open(again.c_str(), O_RDONLY).value();
  CHECK(adopted(read_only) == Errc::bad_region);
}

TEST_CASE("what is no memory file is no ring", "[ring_memory][hostile]") {
  CHECK(adopted(Descriptor()) == Errc::bad_region);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor out(ends[0]);
  const Descriptor in(ends[1]);
  CHECK(adopted(out) == Errc::bad_region);
  CHECK(adopted(strait::os::open("/dev/zero", O_RDWR).value()) == Errc::bad_region);
  CHECK(adopted(strait::os::open("/", O_RDONLY).value()) == Errc::bad_region);
  const std::string path = strait_test::unique_path("file");
  const Descriptor file = strait::os::open(path.c_str(), O_RDWR | O_CREAT, 0600).value();
  REQUIRE(::ftruncate(file.get(), static_cast<off_t>(2 * page)) == 0);
  CHECK(adopted(file) == Errc::bad_region);
  REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("memory of huge pages, which may run out when touched, is no ring",
          "[ring_memory][hostile]") {
  const Descriptor file(
      ::memfd_create("strait-test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!file) STRAIT_TEST_SKIP("no huge pages here");
  REQUIRE(add_seals(file.get(), seals_of_size));
  CHECK(adopted(file) == Errc::bad_region);
}
