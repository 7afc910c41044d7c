#include <strait/mach/linux/region.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::linux_mach::add_seals;
using strait::linux_mach::create_memory_file;
using strait::linux_mach::Region;
using strait::linux_mach::seals_of_content;
using strait::os::Descriptor;

namespace {

Descriptor duplicate(int fd) { return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

Descriptor file_with(std::size_t size, unsigned seals) {
  Descriptor file = create_memory_file("strait-test", size).value();
  if (size != 0) REQUIRE(::fallocate(file.get(), 0, 0, static_cast<off_t>(size)) == 0);
  if (seals != 0) REQUIRE(add_seals(file.get(), seals));
  return file;
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i != size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

}  // namespace

TEST_CASE("a region arrives as it was made", "[region]") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096},
                                 std::size_t{4097}, std::size_t{3'000'000}}) {
    const auto bytes = pattern(size);
    const auto copied = Region::copy_of(bytes).value();
    const auto received = Region::adopt(duplicate(copied.descriptor()), size).value();
    CAPTURE(size);
    CHECK(std::ranges::equal(received.bytes(), bytes));

    const auto filled = Region::filled_by(size, [&](std::byte* out) {
                          if (size != 0) std::memcpy(out, bytes.data(), size);
                        }).value();
    CHECK(std::ranges::equal(Region::adopt(duplicate(filled.descriptor()), size)->bytes(), bytes));
  }
}

TEST_CASE("a region may be longer than it is said to be, and only that much is mapped",
          "[region]") {
  const auto copied = Region::copy_of(pattern(10'000)).value();
  const auto received = Region::adopt(duplicate(copied.descriptor()), 100).value();
  CHECK(received.bytes().size() == 100);
}

TEST_CASE("nobody can change a region that was sent", "[region][hostile]") {
  const auto copied = Region::copy_of(pattern(5000)).value();
  const int fd = copied.descriptor();
  CHECK(::pwrite(fd, "x", 1, 0) == -1);
  CHECK(::ftruncate(fd, 0) == -1);
  CHECK(::ftruncate(fd, 1 << 20) == -1);
  CHECK(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == -1);
  CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == -1);
}

TEST_CASE("what a receiver writes to its region nobody else sees", "[region]") {
  const auto bytes = pattern(5000);
  const auto copied = Region::copy_of(bytes).value();
  const auto first = Region::adopt(duplicate(copied.descriptor()), 5000).value();
  const auto second = Region::adopt(duplicate(copied.descriptor()), 5000).value();
  std::memset(const_cast<std::byte*>(first.bytes().data()), 0xee, 5000);
  CHECK(std::ranges::equal(second.bytes(), bytes));
  std::vector<std::byte> file(5000);
  CHECK(::pread(copied.descriptor(), file.data(), 5000, 0) == 5000);
  CHECK(file == bytes);
}

TEST_CASE("what a sender writes to its own bytes later the receiver does not see", "[region]") {
  auto bytes = pattern(5000);
  const auto before = bytes;
  const auto copied = Region::copy_of(bytes).value();
  const auto received = Region::adopt(duplicate(copied.descriptor()), 5000).value();
  std::ranges::fill(bytes, std::byte{0});
  CHECK(std::ranges::equal(received.bytes(), before));
}

TEST_CASE("a region that lacks any seal is bad", "[region][hostile]") {
  CHECK(Region::adopt(file_with(4096, seals_of_content), 4096));
  CHECK(Region::adopt(file_with(4096, 0), 4096).error() == Errc::bad_region);
  for (const int seal : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_WRITE}) {
    const auto region =
        Region::adopt(file_with(4096, seals_of_content & ~static_cast<unsigned>(seal)), 4096);
    CAPTURE(seal);
    CHECK(region.error() == Errc::bad_region);
  }
#if defined(F_SEAL_FUTURE_WRITE)
  const auto still_mapped = Region::adopt(
      file_with(4096, (seals_of_content & ~unsigned{F_SEAL_WRITE}) | F_SEAL_FUTURE_WRITE), 4096);
  CHECK(still_mapped.error() == Errc::bad_region);
#endif
}

TEST_CASE("a region that is shorter than it is said to be is bad", "[region][hostile]") {
  for (const std::size_t claimed :
       {std::size_t{4097}, SIZE_MAX / 4, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX}) {
    CAPTURE(claimed);
    CHECK(Region::adopt(file_with(4096, seals_of_content), claimed).error() == Errc::bad_region);
  }
  CHECK(Region::adopt(file_with(0, seals_of_content), 1).error() == Errc::bad_region);
}

TEST_CASE("what is no memory file is a bad region", "[region][hostile]") {
  CHECK(Region::adopt(Descriptor(), 0).error() == Errc::bad_region);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  CHECK(Region::adopt(Descriptor(ends[0]), 1).error() == Errc::bad_region);
  CHECK(Region::adopt(Descriptor(ends[1]), 0).error() == Errc::bad_region);
  CHECK(Region::adopt(strait::os::open("/dev/zero", O_RDWR).value(), 1).error() ==
        Errc::bad_region);
  const std::string path = strait_test::unique_path("file");
  Descriptor file = strait::os::open(path.c_str(), O_RDWR | O_CREAT, 0600).value();
  REQUIRE(::unlink(path.c_str()) == 0);
  REQUIRE(::ftruncate(file.get(), 4096) == 0);
  CHECK(Region::adopt(std::move(file), 4096).error() == Errc::bad_region);
}

TEST_CASE("a sealed file with holes is no region: its reader would pay for them",
          "[region][hostile]") {
  const std::size_t size = std::size_t{4} << 20;
  Descriptor file = create_memory_file("strait-test", size).value();
  REQUIRE(::pwrite(file.get(), "x", 1, 0) == 1);
  REQUIRE(add_seals(file.get(), seals_of_content));
  CHECK(Region::adopt(std::move(file), size).error() == Errc::bad_region);
}

TEST_CASE("a region that was hardly written to is whole when it is frozen", "[region]") {
  const std::size_t size = std::size_t{4} << 20;
  auto region = Region::create(size).value();
  region.data()[5] = std::byte{7};
  REQUIRE(region.freeze());
  auto received = Region::adopt(duplicate(region.descriptor()), size).value();
  CHECK(received.data()[5] == std::byte{7});
}

TEST_CASE("received regions keep few files open, and can be copied without them", "[region]") {
  const auto bytes = pattern(5000);
  const auto sent = Region::copy_of(bytes).value();
  std::vector<Region> kept;
  int with_file = 0;
  for (int i = 0; i != 100; ++i) {
    kept.push_back(Region::adopt(duplicate(sent.descriptor()), bytes.size()).value());
    with_file += kept.back().can_be_sent();
  }
  CHECK(with_file == strait::linux_mach::OpenFileShare::max_files);
  CHECK_FALSE(kept.back().can_be_sent());
  auto copy = kept.back().duplicate().value();
  CHECK(std::equal(bytes.begin(), bytes.end(), copy.bytes().begin()));
  kept.clear();
  CHECK(Region::adopt(duplicate(sent.descriptor()), bytes.size()).value().can_be_sent());
}
