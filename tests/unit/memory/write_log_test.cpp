// Which bytes were written since when: never fewer than were, in parts that do not overlap.

#include <strait/memory/write_log.hpp>

#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

using strait::detail::WriteLog;

namespace {

struct Part {
  std::size_t offset;
  std::size_t size;
  bool operator==(const Part&) const = default;
};

std::vector<Part> since(const WriteLog& log, std::uint64_t version) {
  std::vector<Part> parts;
  log.visit_since(version, [&](std::size_t offset, std::size_t size) {
    parts.push_back({offset, size});
    return true;
  });
  return parts;
}

}  // namespace

TEST_CASE("a write log says what was written after a version", "[write_log]") {
  WriteLog log;
  CHECK(log.bytes_since(0) == 0);
  log.add(0, 100, 1);
  log.add(40, 50, 2);
  CHECK(log.bytes_since(0) == 100);
  CHECK(since(log, 1) == std::vector<Part>{{40, 10}});
  CHECK(since(log, 0) == std::vector<Part>{{0, 40}, {40, 10}, {50, 50}});
  log.add(50, 60, 2);  // goes on where the last one of its version ended
  CHECK(since(log, 1) == std::vector<Part>{{40, 20}});
  log.add(0, 100, 3);
  CHECK(since(log, 2) == std::vector<Part>{{0, 100}});
  log.add(7, 7, 4);
  CHECK(log.bytes_since(3) == 0);
  log.clear();
  CHECK(log.bytes_since(0) == 0);
}

TEST_CASE("a visit of a write log ends when the visitor wants no more", "[write_log]") {
  WriteLog log;
  log.add(0, 1, 1);
  log.add(10, 11, 1);
  int visited = 0;
  CHECK_FALSE(log.visit_since(0, [&](std::size_t, std::size_t) { return ++visited != 1; }));
  CHECK(visited == 1);
}

TEST_CASE("a write log with too many parts joins those that are near", "[write_log]") {
  WriteLog log;
  for (std::size_t i = 0; i != WriteLog::max_parts; ++i) log.add(1000 * i, 1000 * i + 10, 1);
  CHECK(log.bytes_since(0) == 10 * WriteLog::max_parts);
  log.add(515, 520, 1);  // nearer to the first part and to the second than these are to each other
  CHECK(since(log, 0).size() == WriteLog::max_parts);
  CHECK(log.bytes_since(0) < 10 * WriteLog::max_parts + 1000);
}

TEST_CASE("a write log misses no byte, whatever is written", "[write_log]") {
  constexpr std::size_t size = 5000;
  std::mt19937 random(20261127);
  for (int round = 0; round != 50; ++round) {
    WriteLog log;
    std::vector<std::uint64_t> written(size);
    std::uint64_t version = 1;
    for (int i = 0; i != 200; ++i) {
      const std::size_t begin = random() % size;
      const std::size_t end = begin + random() % (size - begin + 1) % (round % 2 == 0 ? 20 : size);
      if (random() % 4 == 0) ++version;
      log.add(begin, end, version);
      for (std::size_t at = begin; at < end; ++at) written[at] = version;
      const std::uint64_t asked = random() % (version + 1);
      std::size_t last_end = 0;
      std::vector<bool> named(size);
      log.visit_since(asked, [&](std::size_t offset, std::size_t bytes) {
        REQUIRE(offset >= last_end);
        REQUIRE(bytes != 0);
        last_end = offset + bytes;
        REQUIRE(last_end <= size);
        for (std::size_t at = offset; at != last_end; ++at) named[at] = true;
        return true;
      });
      for (std::size_t at = 0; at != size; ++at) {
        if (written[at] > asked && !named[at]) FAIL("byte " << at << " is missing");
      }
    }
  }
}
