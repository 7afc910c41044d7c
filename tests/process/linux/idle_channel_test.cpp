// What a channel costs over which nothing comes: counts of memory and descriptors, no time.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <cstddef>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"

using namespace strait_test;

namespace {

using IdleLink = RawLink<strait::MachTransport<>>;

/// What is resident of this process, as the kernel counts it: a page of shared memory as often as
/// it is mapped.
std::size_t resident_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    if (word != "Rss:") continue;
    std::size_t kib = 0;
    rollup >> kib;
    return kib << 10;
  }
  FAIL("no Rss in /proc/self/smaps_rollup");
  return 0;
}

/// Both ends are in this process.
void talk(std::pair<IdleLink, IdleLink>& ends, std::size_t size) {
  auto& [first, second] = ends;
  std::size_t heard = 0;
  const auto listener = [&](View bytes) { heard += bytes.size(); };
  const Bytes message = pattern(size);
  REQUIRE(first.send(View(message)));
  REQUIRE(second.send(View(message)));
  REQUIRE(repeat_until([&] {
    static_cast<void>(first.poll(listener));
    static_cast<void>(second.poll(listener));
    return heard == 2 * size;
  }));
}

}  // namespace

TEST_CASE("an idle channel's two ends take less than 64 KiB of memory, a used one what was used",
          "[idle][no-asan][no-tsan]") {
  constexpr std::size_t count = 100;
  std::vector<std::pair<IdleLink, IdleLink>> channels;
  channels.reserve(count);
  channels.push_back(IdleLink::pair().value());  // what the first one costs is another matter
  talk(channels[0], 100);
  const std::size_t before = resident_bytes();
  while (channels.size() != count + 1) channels.push_back(IdleLink::pair().value());
  const std::size_t idle = resident_bytes() - before;
  CHECK(idle / count < (64 << 10));
  for (auto& ends : channels) talk(ends, 100);
  const std::size_t small = resident_bytes() - before;
  CHECK(small / count < (128 << 10));
  // A ring that was used all around is resident, in both processes' views, and no more than that.
  for (int i = 0; i != 5; ++i) talk(channels[1], 400 << 10);
  CHECK(resident_bytes() - before - small < (9 << 20));
}
