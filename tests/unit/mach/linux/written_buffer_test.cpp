// Buffers of which the sender does not say what it wrote: the system knows the pages.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "conformance/channels.hpp"
#include "process/forking.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;

namespace {

using WrittenLink = RawLink<strait::MachTransport<strait::OolThreshold<1>>>;

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t written_size = 512 * page_bytes + 100;

/// The number of the file that is mapped here: each region has one of its own.
std::uint64_t region_at(const std::byte* place) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string skipped;
    std::uint64_t inode = 0;
    words >> std::hex >> begin >> dash >> end >> skipped >> skipped >> skipped >> std::dec >> inode;
    const auto address = reinterpret_cast<std::uintptr_t>(place);
    if (begin <= address && address < end) return inode;
  }
  return 0;
}

/// Has the listener called with one message, which may come after many patches.
template <class Listener>
void deliver(Pair<WrittenLink>& pair, Listener&& listener) {
  std::size_t came = 0;
  for (const auto end = Clock::now() + long_enough; came == 0 && Clock::now() < end;) {
    static_cast<void>(pair.client.flush(0ms));
    came = pair.server.poll(listener).value();
  }
  CHECK(came == 1);
}

/// A buffer that is sent over one channel again and again, and what is in it.
struct SentAgain {
  Pair<WrittenLink> pair = connected_pair<WrittenLink>();
  OutOfLineBytes buffer;
  std::vector<std::byte> expected;

  explicit SentAgain(std::size_t size = written_size) : expected(pattern(size, 1)) {
    buffer = pair.client.out_of_line_bytes(size).value();
    fill_pattern(buffer.writable().value(), 1);
  }

  /// Writes bytes without saying which.
  void write(std::initializer_list<std::size_t> places, std::byte value) {
    const auto all = buffer.writable().value();
    for (const std::size_t at : places) expected[at] = all[at] = value;
  }

  /// The number of the region in which the receiver has read it.
  std::uint64_t send() {
    REQUIRE(pair.client.send(buffer));
    std::uint64_t region = 0;
    const auto listener = [&](View bytes) {
      CHECK(same_bytes(bytes, expected));
      region = region_at(bytes.data());
    };
    deliver(pair, listener);
    return region;
  }
};

/// False under an emulator of another byte order, to which the system's map of pages makes no sense:
/// there a buffer of which it was not said what is written is sent as a whole.
bool has_page_map() {
  const bool works = strait::linux_mach::PageMap().works();
  if (std::getenv("STRAIT_TEST_EMULATOR") == nullptr) REQUIRE(works);
  return works;
}

}  // namespace

TEST_CASE("pages that are written without a word travel alone", "[region]") {
  if (!has_page_map()) STRAIT_TEST_SKIP("the emulator has no map of this process's pages");
  SentAgain again;
  again.send();
  again.write({7}, std::byte{1});
  const std::uint64_t kept = again.send();  // from now on the receiver keeps it
  for (std::size_t i = 0; i != 200; ++i) {
    // The same few pages, at both ends and on both sides of a border, in turn.
    const std::size_t at = i % 20 * 5 * page_bytes;
    again.write({0, at, at + page_bytes - 1, at + page_bytes, written_size - 1},
                static_cast<std::byte>(i));
    REQUIRE(again.send() == kept);
  }
  // And with what is said.
  again.buffer.writable(300 * page_bytes, 1).value()[0] = again.expected[300 * page_bytes] =
      std::byte{9};
  CHECK(again.send() == kept);
  CHECK(again.send() == kept);
}

TEST_CASE("a buffer that is written as a whole is a fresh region each time", "[region]") {
  SentAgain again;
  std::set<std::uint64_t> regions;
  for (std::uint64_t i = 0; i != 6; ++i) {
    fill_pattern(again.buffer.writable().value(), i);
    again.expected = pattern(written_size, i);
    regions.insert(again.send());
  }
  CHECK(regions.size() == 6);
}

TEST_CASE("a small buffer that is written as a whole travels by itself", "[region]") {
  const std::size_t size = GENERATE(1ul, 100ul, 5000ul, 16384ul);
  SentAgain again(size);
  again.send();
  again.write({0}, std::byte{1});
  const std::uint64_t kept = again.send();
  for (std::uint64_t i = 0; i != 6; ++i) {
    fill_pattern(again.buffer.writable().value(), i);
    again.expected = pattern(size, i);
    CHECK(again.send() == kept);
  }
}

TEST_CASE("pages that add up to much cost a fresh region, and none counts then", "[region]") {
  if (!has_page_map()) STRAIT_TEST_SKIP("the emulator has no map of this process's pages");
  SentAgain again;
  const auto* const place = again.buffer.bytes().data();
  std::set<std::uint64_t> regions;
  for (std::size_t i = 0; i != 512; ++i) {
    again.write({i * page_bytes + i}, static_cast<std::byte>(i + 1));
    regions.insert(again.send());
  }
  // A sixty-fourth at the first sends, and two for each time that an eighth was written.
  CHECK(regions.size() > 8);
  CHECK(regions.size() <= 2 + 2 * 8);
  CHECK(again.buffer.bytes().data() == place);
}

TEST_CASE("few pages travel again after all of it was written", "[region]") {
  if (!has_page_map()) STRAIT_TEST_SKIP("the emulator has no map of this process's pages");
  SentAgain again;
  for (std::size_t i = 0; i != 3; ++i) {
    again.write({i}, std::byte{1});
    again.send();
  }
  fill_pattern(again.buffer.writable().value(), 2);
  again.expected = pattern(written_size, 2);
  again.send();
  again.write({5}, std::byte{3});
  const std::uint64_t kept = again.send();
  for (std::size_t i = 0; i != 5; ++i) {
    again.write({i * page_bytes}, std::byte{4});
    CHECK(again.send() == kept);
  }
}

TEST_CASE("views that a listener keeps stay what they were, whatever pages are written",
          "[region]") {
  SentAgain again;
  std::vector<OutOfLineBytes> kept;
  std::vector<std::vector<std::byte>> kept_expected;
  for (std::size_t i = 0; i != 12; ++i) {
    again.write({0, i * 7 * page_bytes, written_size - 1}, static_cast<std::byte>(i + 1));
    REQUIRE(again.pair.client.send(again.buffer));
    const auto keep = [&](OutOfLineBytes received) {
      CHECK(same_bytes(received.bytes(), again.expected));
      if (i % 3 != 0) return;
      kept.push_back(std::move(received));
      kept_expected.push_back(again.expected);
    };
    deliver(again.pair, keep);
  }
  for (std::size_t i = 0; i != kept.size(); ++i) {
    CHECK(same_bytes(kept[i].bytes(), kept_expected[i]));
    // What is received may be written and sent on in the same way.
    auto onward = connected_pair<WrittenLink>();
    for (std::size_t round = 0; round != 4; ++round) {
      kept[i].writable().value()[round * page_bytes] = kept_expected[i][round * page_bytes] =
          std::byte{0xee};
      REQUIRE(onward.client.send(kept[i]));
      const auto listener = [&](View bytes) { CHECK(same_bytes(bytes, kept_expected[i])); };
      deliver(onward, listener);
    }
  }
}

TEST_CASE("several receivers are brought up to date, each from where it is", "[region]") {
  SentAgain again;
  auto second = connected_pair<WrittenLink>();
  for (std::size_t i = 0; i != 150; ++i) {
    again.write({i * 3 * page_bytes, 511 * page_bytes}, static_cast<std::byte>(i + 1));
    again.send();
    if (i % 3 != 0) continue;
    REQUIRE(second.client.send(again.buffer));
    const auto listener = [&](View bytes) { CHECK(same_bytes(bytes, again.expected)); };
    deliver(second, listener);
  }
}

TEST_CASE("what many threads have written is found", "[region]") {
  SentAgain again;
  again.send();
  again.send();
  for (std::size_t round = 0; round != 20; ++round) {
    const auto all = again.buffer.writable().value();
    std::vector<std::thread> writers;
    for (std::size_t i = 0; i != 4; ++i) {
      writers.emplace_back([&, i] {
        const std::size_t at = (i * 128 + round) * page_bytes + i;
        again.expected[at] = all[at] = static_cast<std::byte>(round + 1);
      });
    }
    for (auto& writer : writers) writer.join();
    again.send();
  }
}

TEST_CASE("pages are found on whichever side of a fork they are written", "[region]") {
  if (!has_page_map()) STRAIT_TEST_SKIP("the emulator has no map of this process's pages");
  SentAgain again;
  again.send();
  again.write({0}, std::byte{1});
  const std::uint64_t kept = again.send();
  again.write({0}, std::byte{2});
  const auto pages = [&] {
    std::set<std::size_t> found;
    const auto visit = [&](std::size_t offset, std::size_t bytes) {
      for (std::size_t at = 0; at < bytes; at += page_bytes)
        found.insert((offset + at) / page_bytes);
      return true;
    };
    if (!strait::linux_mach::visit_written_pages(again.buffer.bytes(), visit)) found.clear();
    return found;
  };
  const auto all = again.buffer.writable().value();
  Fork child([&] {
    all[5 * page_bytes] = std::byte{5};
    if (pages() != std::set<std::size_t>{0, 5}) ::_exit(1);
  });
  CHECK(child.ended_well());
  CHECK(pages() == std::set<std::size_t>{0});
  again.write({6 * page_bytes}, std::byte{6});
  CHECK(pages() == std::set<std::size_t>{0, 6});
  CHECK(again.send() == kept);
}

TEST_CASE("where the system tells of no pages, all of it is sent", "[region]") {
  const auto report = strait::os::pipe_pair().value();
  // In a root directory without /proc, which a user may have in a namespace of its own.
  Fork child([&] {
    SentAgain again;
    again.send();
    again.send();
    const bool moved = ::chroot("/sys/fs/cgroup") == 0 ||
                       (::unshare(CLONE_NEWUSER) == 0 && ::chroot("/sys/fs/cgroup") == 0);
    if (!moved || ::write(report[1].get(), "m", 1) != 1) ::_exit(0);
    if (strait::linux_mach::PageMap().works()) ::_exit(1);
    for (std::size_t i = 0; i != 4; ++i) {
      const auto all = again.buffer.writable().value();
      all[i * 100] = again.expected[i * 100] = std::byte{7};
      bool same = false;
      const auto listener = [&](View bytes) { same = same_bytes(bytes, again.expected); };
      if (!again.pair.client.send(again.buffer)) ::_exit(2);
      if (again.pair.server.poll(listener).value_or(0) != 1 || !same) ::_exit(3);
    }
  });
  CHECK(child.ended_well());
  const auto written = strait::os::wait_for({strait::Interest::to_read(report[0].get())},
                                            strait::detail::Deadline::after(0ms));
  if (!written) WARN("no other root directory can be had here");
}

TEST_CASE("no receiver changes what a region holds, the sender's new ones included", "[region]") {
  using strait::linux_mach::Region;
  auto region = Region::create(3 * page_bytes).value();
  REQUIRE(region.freeze());
  auto copy = Region::copy_of(region.bytes()).value();
  const auto refuses = [](const Region& one) {
    const int file = one.descriptor();
    CHECK(::pwrite(file, "x", 1, 0) == -1);
    CHECK(::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page_bytes) == -1);
    CHECK(::ftruncate(file, 0) == -1);
    CHECK(::mmap(nullptr, page_bytes, PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED);
  };
  refuses(region);
  region.data()[page_bytes] = std::byte{1};
  REQUIRE(region.rebase(copy));
  refuses(region);
  CHECK(region.data()[page_bytes] == std::byte{0});  // what the copy holds
  CHECK(region.can_be_sent());
}

TEST_CASE("a region that could not be sealed is not taken at its pages' word", "[region]") {
  SentAgain again;
  const auto file = [&] {
    const std::uint64_t inode = region_at(again.buffer.bytes().data());
    for (int fd = 3; fd != 1024; ++fd) {
      struct stat status;
      if (::fstat(fd, &status) == 0 && status.st_ino == inode) return fd;
    }
    return -1;
  }();
  REQUIRE(file >= 0);
  // As a device's driver would map it.
  auto device = strait::os::Mapping::map(written_size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
  REQUIRE(device);
  again.send();  // as a copy
  for (std::size_t i = 0; i != 6; ++i) {
    again.write({0}, static_cast<std::byte>(i));
    device->data()[20 * page_bytes] = again.expected[20 * page_bytes] =
        static_cast<std::byte>(i + 1);
    again.send();
  }
}
