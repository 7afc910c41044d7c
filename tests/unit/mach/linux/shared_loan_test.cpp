// One message lent to many receivers: it lies in one segment, which none of them can write, and a
// receiver that keeps it, dies with it or lies about it takes nothing from the others.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <strait/acceptor.hpp>
#include <strait/overloaded.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "support/hostile_peer.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;
using strait::detail::OolReference;

namespace {

constexpr std::size_t lent_bytes = 200'000;
constexpr std::size_t lent_capacity = std::size_t{256} << 10;
template <std::size_t max_bytes, strait::ChannelOptions options = strait::ChannelOptions()>
using LentLink =
    RawLink<strait::MachTransport<strait::OolThreshold<4096, strait::LoanUpTo<max_bytes>>>,
            options>;
using LargePool = LentLink<(std::size_t{64} << 20)>;
/// Of eight segments of `lent_capacity`.
using EightSegments = LentLink<8 * lent_capacity>;

struct LentMappings {
  std::size_t count = 0;
  std::size_t writable = 0;
  std::set<std::string> files{};
};

/// The segments for many that are mapped in this process, and of how many files they are.
LentMappings lent_mappings() {
  std::ifstream maps("/proc/self/maps");
  LentMappings found;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("strait-shared") == std::string::npos) continue;
    std::istringstream words(line);
    std::string range, access, offset, device, inode;
    words >> range >> access >> offset >> device >> inode;
    ++found.count;
    if (access[1] == 'w') ++found.writable;
    found.files.insert(inode);
  }
  return found;
}

struct LentKeeper {
  std::vector<OutOfLineBytes> kept{};
  std::size_t heard = 0;
  bool keeps = true;
  void operator()(OutOfLineBytes buffer) {
    ++heard;
    if (keeps) kept.push_back(std::move(buffer));
  }
};

/// A server with so many clients, all of this process.
template <class Link>
struct LentAudience {
  explicit LentAudience(std::size_t count) : keepers(count) {
    for (std::size_t i = 0; i != count; ++i) {
      clients.push_back(std::make_unique<Link>(Link::connect(name, token).value()));
    }
    REQUIRE(repeat_until([&] {
      turn();
      bool connected = server.size() == count;
      for (auto& client : clients) connected = connected && !client->waiting_connect();
      return connected;
    }));
  }

  void turn() {
    static_cast<void>(server.poll(ignore));
    for (std::size_t i = 0; i != clients.size(); ++i) {
      if (clients[i]) static_cast<void>(clients[i]->poll(keepers[i]));
    }
  }
  bool deliver(std::size_t messages) {
    return repeat_until([&] {
      turn();
      bool all = true;
      for (std::size_t i = 0; i != clients.size(); ++i) {
        if (clients[i]) all = all && keepers[i].heard >= messages;
      }
      return all;
    });
  }
  OutOfLineBytes made(std::uint64_t seed, std::size_t bytes = lent_bytes) {
    auto buffer = server.out_of_line_bytes(bytes).value();
    fill_pattern(buffer.writable().value(), seed);
    return buffer;
  }
  void forget_all() {
    for (auto& keeper : keepers) keeper.kept.clear();
  }
  std::size_t queued_bytes() {
    std::size_t most = 0;
    server.for_each([&](Link& client) { most = std::max(most, client.queued_bytes()); });
    return most;
  }

  std::function<void(Link&, View)> ignore = [](Link&, View) {};
  strait::Token token = new_token();
  std::string name = unique_name("lent");
  strait::Acceptor<Link> server = strait::Acceptor<Link>::listen(name, token).value();
  std::vector<std::unique_ptr<Link>> clients{};
  std::vector<LentKeeper> keepers;
};

}  // namespace

TEST_CASE("what is lent to all is one segment, which only its sender can write",
          "[loan][acceptor]") {
  constexpr std::size_t count = 40;
  LentAudience<LargePool> audience(count);
  const Bytes news = pattern(lent_bytes, 5);
  const bool made_there = GENERATE(false, true);
  if (made_there) {
    const auto buffer = audience.made(5);
    REQUIRE(audience.server.send_all(buffer) == count);
  } else {
    REQUIRE(audience.server.send_all(View(news)) == count);
  }
  CHECK(audience.queued_bytes() == lent_bytes);
  REQUIRE(audience.deliver(1));
  const auto mapped = lent_mappings();
  CHECK(mapped.files.size() == 1);
  CHECK(mapped.count == count + 1);
  CHECK(mapped.writable == 1);
  for (const auto& keeper : audience.keepers) CHECK(same_bytes(keeper.kept[0], news));
  audience.forget_all();
  CHECK(audience.queued_bytes() == 0);
}

TEST_CASE("a segment that all have given back serves the next message", "[loan][acceptor]") {
  constexpr std::size_t count = 5;
  LentAudience<LargePool> audience(count);
  for (std::size_t i = 1; i != 30; ++i) {
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == count);
    REQUIRE(audience.deliver(i));
    for (const auto& keeper : audience.keepers) {
      CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, i)));
    }
    audience.forget_all();
  }
  CHECK(lent_mappings().files.size() == 1);
  // One that is still read is left alone, whatever its number of readers.
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 100))) == count);
  REQUIRE(audience.deliver(30));
  for (std::size_t i = 1; i != count; ++i) audience.keepers[i].kept.clear();
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 101))) == count);
  REQUIRE(audience.deliver(31));
  CHECK(lent_mappings().files.size() == 2);
  CHECK(same_bytes(audience.keepers[0].kept[0], pattern(lent_bytes, 100)));
}

TEST_CASE("a buffer for all is sent over each channel without a copy, and written without a trace",
          "[loan][acceptor]") {
  constexpr std::size_t count = 3;
  LentAudience<LargePool> audience(count);
  auto buffer = audience.made(1);
  const auto send = [&] {
    std::size_t taken = 0;
    audience.server.for_each([&](LargePool& client) { taken += client.send(buffer).has_value(); });
    return taken;
  };
  REQUIRE(send() == count);
  REQUIRE(send() == count);  // the same once more, before it has come back
  REQUIRE(audience.deliver(2));
  CHECK(lent_mappings().files.size() == 1);

  SECTION("while it is read, the sender goes on with another one of the same bytes") {
    const auto* const before = buffer.bytes().data();
    const auto room = buffer.writable(100, 8).value();
    CHECK(buffer.bytes().data() != before);
    CHECK(same_bytes(buffer, pattern(lent_bytes, 1)));
    room[0] ^= std::byte{1};
    REQUIRE(send() == count);
    REQUIRE(audience.deliver(3));
    for (const auto& keeper : audience.keepers) {
      CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, 1)));
      CHECK(same_bytes(keeper.kept[1], pattern(lent_bytes, 1)));
      CHECK(same_bytes(keeper.kept[2], buffer.bytes()));
    }
    CHECK(lent_mappings().files.size() == 2);
  }
  SECTION("one of two loans that is back is not both") {
    for (auto& keeper : audience.keepers) keeper.kept.pop_back();
    const auto* const before = buffer.bytes().data();
    static_cast<void>(buffer.writable().value());
    CHECK(buffer.bytes().data() != before);
  }
  SECTION("when it is back it is written where it lies") {
    audience.forget_all();
    const auto* const before = buffer.bytes().data();
    fill_pattern(buffer.writable().value(), 2);
    CHECK(buffer.bytes().data() == before);
    REQUIRE(send() == count);
    REQUIRE(audience.deliver(3));
    for (const auto& keeper : audience.keepers) {
      CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, 2)));
    }
  }
}

TEST_CASE("a buffer of one channel, a small one and a large one go to all, too",
          "[loan][acceptor]") {
  constexpr std::size_t count = 3;
  LentAudience<EightSegments> audience(count);
  auto of_one = audience.clients[0]->out_of_line_bytes(lent_bytes).value();
  fill_pattern(of_one.writable().value(), 1);
  REQUIRE(audience.server.send_all(of_one) == count);
  REQUIRE(audience.server.send_all(audience.made(2, 100)) == count);
  REQUIRE(audience.server.send_all(audience.made(3, 9 * lent_capacity)) == count);
  REQUIRE(audience.deliver(3));
  for (const auto& keeper : audience.keepers) {
    CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, 1)));
    CHECK(same_bytes(keeper.kept[1], pattern(100, 2)));
    CHECK(same_bytes(keeper.kept[2], pattern(9 * lent_capacity, 3)));
  }
  CHECK(lent_mappings().files.size() == 1);
  CHECK(audience.server.out_of_line_bytes(std::size_t{1} << 30).error() == Errc::message_too_large);
}

namespace {

struct LentFrame {
  std::uint64_t number;
  std::uint64_t rows[1000];
};
struct LentNote {
  std::uint64_t number;
};

}  // namespace

TEMPLATE_TEST_CASE("messages of a type of their own are made in a buffer for all",
                   "[loan][region][acceptor]", (strait::OolThreshold<4096, strait::Loan>),
                   strait::OolThreshold<4096>, strait::InlineOnly) {
  using TypedLink = strait::Channel<strait::MachTransport<TestType>,
                                    strait::TrivialSerializer<LentFrame, LentNote>>;
  const auto token = new_token();
  const auto name = unique_name("typed");
  auto server = strait::Acceptor<TypedLink>::listen(name, token).value();
  std::array<TypedLink, 2> clients{TypedLink::connect(name, token).value(),
                                   TypedLink::connect(name, token).value()};
  std::size_t right = 0;
  const auto hear = strait::overloaded{[&](strait::OutOfLine<LentFrame> frame) {
                                         right += frame->number == 7 && frame->rows[999] == 8;
                                       },
                                       [&](const LentNote& note) { right += note.number == 9; }};
  const auto turn = [&] {
    static_cast<void>(server.poll([](TypedLink&, const auto&) {}));
    for (auto& client : clients) static_cast<void>(client.poll(hear));
  };
  REQUIRE(repeat_until([&] {
    turn();
    return server.size() == 2 && !clients[0].waiting_connect() && !clients[1].waiting_connect();
  }));
  auto frame = server.template out_of_line<LentFrame>().value();
  *frame.writable().value() = {7, {}};
  frame.writable().value()->rows[999] = 8;
  CHECK(server.send_all(frame) == 2);
  CHECK(server.send_all(*frame) == 2);
  CHECK(server.send_all(LentNote{9}) == 2);
  CHECK(repeat_until([&] {
    turn();
    return right == 6;
  }));
}

TEST_CASE("a buffer for all is there before the first client, and after the last",
          "[loan][acceptor]") {
  std::optional<LentAudience<LargePool>> audience(std::in_place, 0);
  auto buffer = audience->made(1);
  CHECK(audience->server.send_all(buffer) == 0);
  audience.reset();
  CHECK(same_bytes(buffer, pattern(lent_bytes, 1)));
  fill_pattern(buffer.writable().value(), 2);
  Pair<LargePool> others = connected_pair<LargePool>();
  REQUIRE(others.client.send(buffer));
  LentKeeper keeper;
  REQUIRE(pump_until(others.server, keeper, others.client, others.at_client,
                     [&] { return keeper.heard == 1; }));
  CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, 2)));
  // Its pool is gone, so what is written while it is read lies in memory of this process alone.
  fill_pattern(buffer.writable().value(), 3);
  CHECK(same_bytes(keeper.kept[0], pattern(lent_bytes, 2)));
  CHECK(same_bytes(buffer, pattern(lent_bytes, 3)));
}

TEST_CASE("all segments for many are unmapped when the ends and their buffers are gone",
          "[loan][acceptor]") {
  {
    std::vector<OutOfLineBytes> kept;
    {
      LentAudience<LargePool> audience(3);
      for (std::size_t i = 0; i != 4; ++i) {
        REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == 3);
      }
      REQUIRE(audience.deliver(4));
      for (auto& keeper : audience.keepers) {
        for (auto& one : keeper.kept) kept.push_back(std::move(one));
      }
    }
    for (std::size_t i = 0; i != kept.size(); ++i) {
      CHECK(same_bytes(kept[i], pattern(lent_bytes, i % 4)));
    }
    CHECK(lent_mappings().count == 12);
  }
  CHECK(lent_mappings().count == 0);
}

TEST_CASE("what the listener of one receiver writes is its own", "[loan][acceptor]") {
  constexpr std::size_t count = 3;
  LentAudience<LargePool> audience(count);
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 1))) == count);
  REQUIRE(audience.deliver(1));
  auto& own = audience.keepers[0].kept[0];
  fill_pattern(own.writable().value(), 2);
  CHECK(own.size() == lent_bytes);
  CHECK(same_bytes(own, pattern(lent_bytes, 2)));
  for (std::size_t i = 1; i != count; ++i) {
    CHECK(same_bytes(audience.keepers[i].kept[0], pattern(lent_bytes, 1)));
    audience.keepers[i].kept.clear();
  }
  // With the copy the loan was over.
  CHECK(audience.queued_bytes() == 0);
}

TEST_CASE("a segment knows each of its receivers once, however often one comes to have it mapped",
          "[loan]") {
  using namespace strait::detail;
  const auto pool = SharedPool::create(std::size_t{1} << 20).value();
  const auto buffer = pool->allocate(lent_bytes).value();
  SharedSegment* const segment = SharedSegment::in(buffer);
  strait::Descriptor file;
  const auto one = LoanReturns::create(file).value();
  const auto other = LoanReturns::create(file).value();
  for (std::size_t i = 0; i != 100; ++i) {
    REQUIRE(segment->reserve_receiver());
    CHECK(segment->add_receiver(*one.get(), i % LoanReturns::places) == 0);
    REQUIRE(segment->reserve_receiver());
    CHECK(segment->add_receiver(*other.get(), i % LoanReturns::places) == 1);
  }
}

TEST_CASE("loans come back from any thread", "[loan][acceptor][threads]") {
  constexpr std::size_t count = 4;
  constexpr std::size_t rounds = 100;
  LentAudience<LargePool> audience(count);
  std::array<std::atomic<std::size_t>, count> right{};
  std::vector<std::thread> readers;
  const auto join = [&] {
    for (auto& reader : readers) reader.join();
    readers.clear();
  };
  for (std::size_t i = 1; i <= rounds; ++i) {
    // It is made while the one before is read.
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == count);
    REQUIRE(audience.deliver(i));
    join();
    for (std::size_t n = 0; n != count; ++n) {
      readers.emplace_back([&right, i, n, buffer = std::move(audience.keepers[n].kept[0])] {
        right[n] += same_bytes(buffer, pattern(lent_bytes, i));
      });
      audience.keepers[n].kept.clear();
    }
  }
  join();
  for (const auto& one : right) CHECK(one == rounds);
  CHECK(lent_mappings().files.size() <= 3);
}

// --- receivers that keep, die or lie ------------------------------------------------------------

TEST_CASE(
    "a receiver that gives nothing back takes no memory from the others, and gets its messages",
    "[loan][acceptor][hostile]") {
  constexpr std::size_t count = 4;
  constexpr std::size_t messages = 60;
  LentAudience<EightSegments> audience(count);
  for (std::size_t n = 1; n != count; ++n) audience.keepers[n].keeps = false;
  for (std::size_t i = 0; i != messages; ++i) {
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == count);
    REQUIRE(audience.deliver(i + 1));
  }
  for (std::size_t i = 0; i != messages; ++i) {
    CHECK(same_bytes(audience.keepers[0].kept[i], pattern(lent_bytes, i)));
  }
  // The eight that it may have, and as many for the others.
  CHECK(lent_mappings().files.size() <= 16);
  std::size_t lent_to_others = 0;
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 1))) == count);
  audience.server.for_each(
      [&](EightSegments& client) { lent_to_others += client.queued_bytes() == lent_bytes; });
  CHECK(lent_to_others == count - 1);
  REQUIRE(audience.deliver(messages + 1));
}

TEST_CASE("what is kept for longer than the pool lasts leaves it, and is unmapped when it is back",
          "[loan][acceptor][hostile]") {
  constexpr std::size_t count = 3;
  constexpr std::size_t messages = 60;
  LentAudience<EightSegments> audience(count);
  audience.keepers[2].keeps = false;
  for (std::size_t i = 0; i != messages; ++i) {
    // Together two of them keep all that there may be.
    audience.keepers[0].keeps = i % 2 == 0;
    audience.keepers[1].keeps = i % 2 != 0;
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == count);
    REQUIRE(audience.deliver(i + 1));
  }
  for (std::size_t i = 0; i != messages; ++i) {
    CHECK(same_bytes(audience.keepers[i % 2].kept[i / 2], pattern(lent_bytes, i)));
  }
  CHECK(lent_mappings().files.size() > 16);
  CHECK(lent_mappings().files.size() <= 32);
  audience.forget_all();
  // All are told before the sender sleeps.
  REQUIRE(repeat_until([&] {
    audience.server.for_each(
        [](EightSegments& client) { static_cast<void>(client.wait([](View) {}, 0ms)); });
    audience.turn();
    return lent_mappings().files.size() <= 16;
  }));
}

TEST_CASE("what a receiver has not given back counts as queued, up to its bound",
          "[loan][acceptor][hostile]") {
  constexpr std::size_t most_bytes = 4 * lent_bytes;
  using Bounded =
      LentLink<(std::size_t{64} << 20), strait::ChannelOptions{.max_queued_bytes = most_bytes}>;
  constexpr std::size_t count = 3;
  LentAudience<Bounded> audience(count);
  for (std::size_t n = 1; n != count; ++n) audience.keepers[n].keeps = false;
  std::size_t refused = 0;
  for (std::size_t i = 0; i != 20; ++i) {
    const std::size_t taken = audience.server.send_all(View(pattern(lent_bytes, i)));
    REQUIRE(taken >= count - 1);
    refused += count - taken;
    CHECK(audience.queued_bytes() <= most_bytes);
    REQUIRE(repeat_until([&] {
      audience.turn();
      return audience.keepers[1].heard == i + 1 && audience.keepers[2].heard == i + 1;
    }));
  }
  CHECK(refused == 16);
  CHECK(audience.keepers[0].kept.size() == 4);
  // Five at the most: those that one has, and the one that the others have given back.
  CHECK(lent_mappings().files.size() <= 5);
  audience.forget_all();
  CHECK(audience.server.send_all(View(pattern(lent_bytes, 1))) == count);
}

TEST_CASE("a receiver that dies with a segment keeps it as it is, and takes it from the pool alone",
          "[loan][acceptor][hostile]") {
  constexpr std::size_t count = 3;
  LentAudience<LargePool> audience(count);
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 1))) == count);
  REQUIRE(audience.deliver(1));
  for (std::size_t n = 1; n != count; ++n) audience.keepers[n].kept.clear();
  audience.clients[0].reset();
  REQUIRE(repeat_until([&] {
    audience.turn();
    return audience.server.size() == count - 1;
  }));
  for (auto& keeper : audience.keepers) keeper.keeps = false;
  for (std::size_t i = 2; i != 10; ++i) {
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == count - 1);
    REQUIRE(audience.deliver(i));
  }
  CHECK(same_bytes(audience.keepers[0].kept[0], pattern(lent_bytes, 1)));
  CHECK(lent_mappings().files.size() == 2);
}

TEST_CASE("a receiver whose channel has ended can't read what is lent later",
          "[loan][acceptor][hostile]") {
  constexpr std::size_t count = 3;
  LentAudience<LargePool> audience(count);
  for (auto& keeper : audience.keepers) keeper.keeps = false;
  auto buffer = audience.made(1);
  REQUIRE(audience.server.send_all(buffer) == count);
  REQUIRE(audience.deliver(1));
  const auto before = lent_mappings().files;
  REQUIRE(before.size() == 1);
  std::vector<LargePool> released;
  if (GENERATE(false, true)) {
    audience.clients[0].reset();
    REQUIRE(repeat_until([&] {
      audience.turn();
      return audience.server.size() == count - 1;
    }));
    // All has come back, and still it is not written where the other one could look.
    const auto* const at = buffer.bytes().data();
    static_cast<void>(buffer.writable().value());
    CHECK(buffer.bytes().data() != at);
  } else {
    strait::ClientId id{};
    audience.server.for_each([&](LargePool& client) { id = audience.server.id(client); });
    released.push_back(audience.server.release(id).value());
  }
  buffer = OutOfLineBytes();
  const auto next = audience.made(2);
  for (const auto& file : lent_mappings().files) {
    if (before.count(file) == 0) continue;
    // Others have it mapped still, but it is not that of the new buffer.
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find(file) == std::string::npos) continue;
      const auto begin = std::stoull(line, nullptr, 16);
      CHECK(begin != reinterpret_cast<std::uintptr_t>(next.bytes().data()));
    }
  }
  CHECK(audience.server.send_all(next) == count - 1);
}

TEST_CASE("no receiver of what is lent to many can write it, whatever way it takes",
          "[loan][acceptor][hostile]") {
  LentAudience<LargePool> audience(2);
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 9))) == 2);
  REQUIRE(audience.deliver(1));
  // By the file that it was sent, of which a hostile receiver can open another description.
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.string().find("strait-shared") == std::string::npos) continue;
    ++files;
    const strait::os::Descriptor file(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(file);
    CHECK(::pwrite(file.get(), "x", 1, 0) < 0);
    CHECK(::ftruncate(file.get(), 0) != 0);
    CHECK(::ftruncate(file.get(), 1 << 20) != 0);
    CHECK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    CHECK(::mmap(nullptr, lent_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0) ==
          MAP_FAILED);
    CHECK(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
  }
  CHECK(files == 1);
  // By its own mapping.
  auto* const mapped = const_cast<std::byte*>(audience.keepers[0].kept[0].bytes().data());
  CHECK(::mprotect(mapped, lent_bytes, PROT_READ | PROT_WRITE) != 0);
  CHECK(same_bytes(audience.keepers[1].kept[0], pattern(lent_bytes, 9)));
}

namespace {

/// A server with one client that does what it likes and some that are honest.
struct LiarAmongThem : LentAudience<EightSegments> {
  explicit LiarAmongThem(std::size_t honest) : LentAudience<EightSegments>(honest) {
    const auto secret = new_token();
    const auto place = unique_name("liar");
    auto link = EightSegments::listen(place, secret).value();
    liar.emplace(link, keeper, place, secret);
    REQUIRE(server.adopt(std::move(link)));
  }

  /// Takes what it was sent, as a receiver does that maps it.
  void take() {
    std::array<std::byte, 1> doorbell;
    while (files.size() < 2) {
      REQUIRE(strait::os::receive_packet(liar->socket.get(), doorbell, files));
    }
    struct stat page_file;
    REQUIRE(::fstat(files.at(0), &page_file) == 0);
    page = strait::os::Mapping::map(static_cast<std::size_t>(page_file.st_size),
                                    PROT_READ | PROT_WRITE, MAP_SHARED, files.at(0))
               .value();
  }
  std::atomic<std::uint32_t>& returned(std::size_t place) {
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(page.data() + 64 * place);
  }

  LentKeeper keeper{};
  std::optional<RawClient> liar{};
  strait::os::DescriptorQueue files{};
  strait::os::Mapping page{};
};

}  // namespace

TEST_CASE("a receiver that says to have given back what others read changes nothing for them",
          "[loan][acceptor][hostile]") {
  constexpr std::size_t honest = 2;
  LiarAmongThem audience(honest);
  REQUIRE(audience.server.send_all(View(pattern(lent_bytes, 0))) == honest + 1);
  audience.take();
  REQUIRE(audience.deliver(1));
  const std::uint32_t lie = GENERATE(1u, 2u, 1000u, 0x7fff'ffffu, 0x8000'0001u, ~0u);
  for (std::size_t i = 0; i != 32; ++i) audience.returned(i) = lie;
  for (std::size_t i = 1; i != 6; ++i) {
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == honest + 1);
    REQUIRE(audience.deliver(i + 1));
    for (std::size_t n = 0; n != 32; ++n) audience.returned(n) += lie;
  }
  for (std::size_t n = 0; n != honest; ++n) {
    for (std::size_t i = 0; i != 6; ++i) {
      CHECK(same_bytes(audience.keepers[n].kept[i], pattern(lent_bytes, i)));
    }
  }
  CHECK(lent_mappings().files.size() <= 8);
}

TEST_CASE("a receiver that takes back what it has given back has no more than before",
          "[loan][acceptor][hostile]") {
  LiarAmongThem audience(2);
  for (auto& keeper : audience.keepers) keeper.keeps = false;
  EightSegments* liar = nullptr;
  audience.server.for_each([&](EightSegments& client) { liar = &client; });
  for (std::size_t i = 0; i != 100; ++i) {
    REQUIRE(audience.server.send_all(View(pattern(lent_bytes, i))) == 3);
    REQUIRE(audience.deliver(i + 1));
    if (i == 0) audience.take();
    for (std::size_t n = 0; n != 32; ++n) audience.returned(n) = i % 2 == 0 ? 1000 : 0;
    if (i % 2 == 0) {
      CHECK(liar->queued_bytes() == 0);  // as it says
      for (std::size_t n = 0; n != 32; ++n) audience.returned(n) = 0;
      CHECK(liar->queued_bytes() == 0);  // it was seen to be back
    }
    CHECK(liar->queued_bytes() <= 8 * lent_capacity);
  }
  CHECK(lent_mappings().files.size() <= 16);
}

// --- senders that lie ---------------------------------------------------------------------------

namespace {

using LentPlace = OolReference::Place;
constexpr std::size_t returns_bytes = 2048;

struct LyingSender {
  std::string name = unique_name("lying");
  strait::Token token = new_token();
  EightSegments link = EightSegments::listen(name, token).value();
  LentKeeper keeper{};
  RawClient peer{link, keeper, name, token};

  void lend(const OolReference& note, const Descriptor& file) {
    REQUIRE(peer.pass(std::array{file.get()}));
    write(note, 1);
  }
  void write(const OolReference& note, std::uint8_t descriptors) {
    peer.out.ring.write({sizeof note, 0, loan, descriptors}, note.bytes_of());
  }
  void give_page() { lend({0, 0, LentPlace::returns}, memory_file(returns_bytes)); }
  std::error_code end() { return poll_until_error(link, keeper); }
};

std::error_code end_of_lies(const std::function<void(LyingSender&)>& attack) {
  LyingSender sender;
  attack(sender);
  return sender.end();
}

}  // namespace

TEST_CASE("a sender to many that keeps the rules by hand is heard", "[loan][hostile]") {
  LyingSender sender;
  const auto returns = memory_file(returns_bytes);
  sender.lend({0, 0, LentPlace::returns}, returns);
  sender.lend({8192, 31, LentPlace::shared_fresh}, memory_file(8192));
  sender.write({100, 31, LentPlace::shared_cached}, 0);
  CHECK(sender.link.poll(sender.keeper).value() == 2);
  REQUIRE(sender.keeper.kept.size() == 2);
  CHECK(sender.keeper.kept[0].size() == 8192);
  CHECK(sender.keeper.kept[1].size() == 100);
  const auto page = strait::os::Mapping::map(returns_bytes, PROT_READ, MAP_SHARED, returns.get());
  const auto& returned =
      *reinterpret_cast<const std::atomic<std::uint32_t>*>(page->data() + 64 * 31);
  CHECK(returned == 0);
  sender.keeper.kept.pop_back();
  CHECK(returned == 1);
  // Forgotten, it can be read on, and its place serves another one.
  sender.write({0, 31, LentPlace::forgotten}, 0);
  sender.lend({4096, 31, LentPlace::shared_fresh}, memory_file(4096));
  CHECK(sender.link.poll(sender.keeper).value() == 1);
  CHECK(sender.keeper.kept[0].bytes()[8191] == std::byte{0});
  sender.keeper.kept.clear();
  CHECK(returned == 3);
}

TEST_CASE("what a sender lends to many and is not what it claims ends the channel",
          "[loan][hostile]") {
  const auto with = [](const OolReference& note, const Descriptor& file) {
    return end_of_lies([&](LyingSender& sender) {
      sender.give_page();
      sender.lend(note, file);
    });
  };
  const LentPlace fresh = LentPlace::shared_fresh;
  CHECK(with({100, 0, fresh}, memory_file(4096, 0)) == Errc::bad_region);
  CHECK(with({4097, 0, fresh}, memory_file(4096)) == Errc::bad_region);
  CHECK(with({1, 0, fresh}, memory_file(0)) == Errc::bad_region);
  CHECK(with({1, 0, fresh}, socket_pair()[0]) == Errc::bad_region);
  CHECK(with({1, 0, fresh}, memory_file(8 * lent_capacity + 1)) == Errc::bad_region);
  CHECK(with({1, 32, fresh}, memory_file(4096)) == Errc::malformed);
  CHECK(with({1, ~std::uint32_t{0}, fresh}, memory_file(4096)) == Errc::malformed);
  CHECK(with({1, 0, LentPlace::shared_cached}, memory_file(4096)) == Errc::malformed);
  CHECK(with({1, 0, LentPlace::forgotten}, memory_file(4096)) == Errc::malformed);
  CHECK(with({1, 0, LentPlace{7}}, memory_file(4096)) == Errc::malformed);
  CHECK(with({0, 0, LentPlace::returns}, memory_file(returns_bytes)) == Errc::malformed);
  CHECK(with({~std::uint64_t{0}, 0, fresh}, memory_file(4096)) == Errc::message_too_large);

  const auto page = [](const Descriptor& file) {
    return end_of_lies([&](LyingSender& sender) { sender.lend({0, 0, LentPlace::returns}, file); });
  };
  CHECK(page(memory_file(returns_bytes - 1)) == Errc::bad_region);
  CHECK(page(memory_file(0)) == Errc::bad_region);
  CHECK(page(memory_file(returns_bytes, 0)) == Errc::bad_region);
  CHECK(page(memory_file(returns_bytes, strait::linux_mach::seals_of_content)) == Errc::bad_region);
  CHECK(page(socket_pair()[0]) == Errc::bad_region);
}

TEST_CASE("a sender to many that names what it has not sent ends the channel", "[loan][hostile]") {
  const auto writes = [](const OolReference& note, std::uint8_t descriptors = 0) {
    return end_of_lies([&](LyingSender& sender) {
      sender.give_page();
      sender.write(note, descriptors);
    });
  };
  CHECK(writes({1, 0, LentPlace::shared_cached}) == Errc::malformed);
  CHECK(writes({0, 0, LentPlace::forgotten}) == Errc::malformed);
  CHECK(writes({1, 0, LentPlace::shared_fresh}) == Errc::malformed);
  CHECK(writes({1, 0, LentPlace::shared_fresh}, 1) == Errc::malformed);
  CHECK(writes({0, 0, LentPlace::returns}) == Errc::malformed);
  CHECK(end_of_lies([](LyingSender& sender) {
          sender.lend({1, 0, LentPlace::shared_fresh}, memory_file(4096));
        }) == Errc::malformed);  // there is nowhere to give it back
  CHECK(end_of_lies([](LyingSender& sender) {
          sender.give_page();
          sender.lend({1, 0, LentPlace::shared_fresh}, memory_file(4096));
          sender.write({4097, 0, LentPlace::shared_cached}, 0);
        }) == Errc::malformed);
  CHECK(end_of_lies([](LyingSender& sender) {
          sender.give_page();
          sender.lend({1, 0, LentPlace::shared_fresh}, memory_file(4096));
          sender.lend({1, 0, LentPlace::shared_fresh}, memory_file(4096));
        }) == Errc::malformed);
  CHECK(end_of_lies([](LyingSender& sender) {
          sender.give_page();
          sender.lend({1, 0, LentPlace::shared_fresh}, memory_file(4 * lent_capacity));
          sender.lend({1, 1, LentPlace::shared_fresh}, memory_file(4 * lent_capacity));
          sender.lend({1, 2, LentPlace::shared_fresh}, memory_file(4096));
        }) == Errc::bad_region);  // that would be more than the bound of the pool
}
