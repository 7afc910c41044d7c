// One message to many receivers: it becomes one region, which none of them can change for the
// others.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <strait/acceptor.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;

namespace {

using FanLink = RawLink<strait::MachTransport<strait::OolThreshold<4096>>>;
constexpr std::size_t fan_bytes = 200'000;

struct MappedRegions {
  std::size_t mappings = 0;
  std::set<std::string> files{};
};

/// The regions that are mapped in this process, and of how many files they are.
MappedRegions regions_of_fan() {
  std::ifstream maps("/proc/self/maps");
  MappedRegions found;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("strait-region") == std::string::npos) continue;
    ++found.mappings;
    std::istringstream words(line);
    std::string range, access, offset, device, inode;
    words >> range >> access >> offset >> device >> inode;
    found.files.insert(inode);
  }
  return found;
}

/// Has what it hears kept where it lies.
struct RegionKeeper {
  std::vector<OutOfLineBytes> kept{};
  void operator()(OutOfLineBytes buffer) { kept.push_back(std::move(buffer)); }
};

/// A server with so many clients, all of this process.
struct Fan {
  explicit Fan(std::size_t count) : keepers(count) {
    for (std::size_t i = 0; i != count; ++i) {
      clients.push_back(std::make_unique<FanLink>(FanLink::connect(name, token).value()));
    }
    REQUIRE(repeat_until([&] {
      static_cast<void>(server.poll(ignore));
      bool connected = server.size() == count;
      for (std::size_t i = 0; i != count; ++i) {
        static_cast<void>(clients[i]->poll(keepers[i]));
        connected = connected && !clients[i]->waiting_connect();
      }
      return connected;
    }));
  }

  bool deliver(std::size_t messages) {
    return repeat_until([&] {
      static_cast<void>(server.poll(ignore));
      bool all = true;
      for (std::size_t i = 0; i != clients.size(); ++i) {
        if (!clients[i]) continue;
        static_cast<void>(clients[i]->poll(keepers[i]));
        all = all && keepers[i].kept.size() == messages;
      }
      return all;
    });
  }

  std::function<void(FanLink&, View)> ignore = [](FanLink&, View) {};
  strait::Token token = new_token();
  std::string name = unique_name("fan");
  strait::Acceptor<FanLink> server = strait::Acceptor<FanLink>::listen(name, token).value();
  std::vector<std::unique_ptr<FanLink>> clients{};
  std::vector<RegionKeeper> keepers;
};

}  // namespace

TEST_CASE("what is sent to all out of line is one region, mapped by each", "[region][acceptor]") {
  constexpr std::size_t count = 40;
  Fan fan(count);
  const Bytes news = pattern(fan_bytes, 5);
  REQUIRE(fan.server.send_all(View(news)) == count);
  REQUIRE(fan.deliver(1));
  const auto regions = regions_of_fan();
  CHECK(regions.files.size() == 1);
  CHECK(regions.mappings == count);
  for (const auto& keeper : fan.keepers) CHECK(same_bytes(keeper.kept[0], news));
}

TEST_CASE("one buffer that is sent over many channels in turn is one region",
          "[region][acceptor]") {
  constexpr std::size_t count = 40;
  Fan fan(count);
  OutOfLineBytes buffer;
  fan.server.for_each([&](FanLink& client) {
    if (buffer.size() == 0) buffer = client.out_of_line_bytes(fan_bytes).value();
  });
  fill_pattern(buffer.writable().value(), 1);
  const bool whole = GENERATE(false, true);
  const auto send = [&] {
    if (whole) return fan.server.send_all(buffer);
    std::size_t taken = 0;
    fan.server.for_each([&](FanLink& client) { taken += client.send(buffer).has_value(); });
    return taken;
  };
  REQUIRE(send() == count);
  REQUIRE(fan.deliver(1));
  auto regions = regions_of_fan();
  CHECK(regions.files.size() == 1);
  CHECK(regions.mappings == count + 1);  // the sender's, too

  SECTION("written anew it is one other region") {
    fill_pattern(buffer.writable().value(), 2);
    REQUIRE(send() == count);
    REQUIRE(fan.deliver(2));
    CHECK(regions_of_fan().files.size() == 2);
    for (const auto& keeper : fan.keepers) {
      CHECK(same_bytes(keeper.kept[0], pattern(fan_bytes, 1)));
      CHECK(same_bytes(keeper.kept[1], pattern(fan_bytes, 2)));
    }
  }
  SECTION("what goes once to each is kept by no channel") {
    for (auto& keeper : fan.keepers) keeper.kept.clear();
    CHECK(regions_of_fan().mappings == 1);
  }
  SECTION("kept by many, it is let go of when there is no buffer of it any more") {
    for (std::size_t i = 2; i != 5; ++i) {
      REQUIRE(send() == count);
      REQUIRE(fan.deliver(i));
    }
    CHECK(regions_of_fan().files.size() == 1);
    for (auto& keeper : fan.keepers) keeper.kept.clear();
    CHECK(regions_of_fan().mappings == count + 1);
    buffer = OutOfLineBytes();
    REQUIRE(repeat_until([&] {
      static_cast<void>(fan.server.wait(fan.ignore, 0ms));
      fan.server.for_each([](FanLink& client) { static_cast<void>(client.flush(0ms)); });
      fan.server.for_each(
          [](FanLink& client) { static_cast<void>(client.wait([](View) {}, 0ms)); });
      return fan.deliver(0) && regions_of_fan().mappings == 0;
    }));
  }
}

TEST_CASE("a receiver that is gone in the middle takes nothing from the others",
          "[region][acceptor]") {
  constexpr std::size_t count = 12;
  Fan fan(count);
  const Bytes first = pattern(fan_bytes, 1);
  REQUIRE(fan.server.send_all(View(first)) == count);
  fan.clients[3].reset();  // with what it has not read
  const Bytes second = pattern(fan_bytes, 2);
  // That it is gone may be seen now or later.
  CHECK(fan.server.send_all(View(second)) >= count - 1);
  REQUIRE(fan.deliver(2));
  for (std::size_t i = 0; i != count; ++i) {
    if (i == 3) continue;
    CHECK(same_bytes(fan.keepers[i].kept[0], first));
    CHECK(same_bytes(fan.keepers[i].kept[1], second));
  }
  REQUIRE(repeat_until([&] {
    static_cast<void>(fan.server.poll(fan.ignore));
    return fan.server.size() == count - 1;
  }));
  CHECK(fan.server.send_all(View(first)) == count - 1);
}

TEST_CASE("no receiver of a region can change what the others read", "[region][acceptor]") {
  constexpr std::size_t count = 3;
  Fan fan(count);
  const Bytes news = pattern(fan_bytes, 9);
  REQUIRE(fan.server.send_all(View(news)) == count);
  REQUIRE(fan.deliver(1));
  // By its own view: what it writes is its own.
  auto own = fan.keepers[0].kept[0].writable();
  REQUIRE(own);
  fill_pattern(*own, 1000);
  // By the file that it was sent, of which a hostile receiver can open another description.
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.string().find("strait-region") == std::string::npos) continue;
    ++files;
    const int file = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) continue;
    CHECK(::pwrite(file, "x", 1, 0) < 0);
    CHECK(::ftruncate(file, 0) != 0);
    CHECK(::ftruncate(file, 1 << 20) != 0);
    CHECK(::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    CHECK(::mmap(nullptr, fan_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED);
    CHECK(::fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) != 0);
    ::close(file);
  }
  CHECK(files != 0);
  CHECK(!same_bytes(fan.keepers[0].kept[0], news));
  for (std::size_t i = 1; i != count; ++i) CHECK(same_bytes(fan.keepers[i].kept[0], news));
}

TEST_CASE("channels of two threads keep one buffer, and let go of it when it is gone",
          "[region][threads]") {
  OutOfLineBytes buffer;
  std::mutex one_at_a_time;  // a buffer is used by one thread at a time
  constexpr std::uint64_t rounds = 200;
  std::array<std::uint64_t, 2> right{};
  auto first = connected_pair<FanLink>();
  auto second = connected_pair<FanLink>();
  buffer = first.client.out_of_line_bytes(fan_bytes).value();
  fill_pattern(buffer.writable().value(), 3);
  const Bytes wanted = pattern(fan_bytes, 3);
  const auto use = [&](Pair<FanLink>& pair, std::uint64_t& count) {
    const auto listener = [&](View bytes) { count += same_bytes(bytes, wanted); };
    for (std::uint64_t i = 0; i != rounds; ++i) {
      {
        const std::lock_guard lock(one_at_a_time);
        if (!pair.client.send(buffer)) return;
      }
      static_cast<void>(pair.server.poll(listener));
      static_cast<void>(pair.client.wait([](View) {}, 0ms));  // looks what it need not keep
    }
  };
  std::thread other([&] { use(second, right[1]); });
  use(first, right[0]);
  other.join();
  CHECK(right[0] == rounds);
  CHECK(right[1] == rounds);
  buffer = OutOfLineBytes();
  const auto ignore = [](View) {};
  // A busy machine may let the wait's time pass before it comes to sleep.
  CHECK(repeat_until([&] {
    for (auto* pair : {&first, &second}) {
      static_cast<void>(pair->client.wait(ignore, 1ms));
      static_cast<void>(pair->server.poll(ignore));
    }
    return regions_of_fan().mappings == 0;
  }));
}
