// Memory that is lent with a message: reused, given back in any order, and never a reason to wait.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "support/hostile_peer.hpp"

using namespace strait_test;
using strait::Loan;
using strait::LoanUpTo;
using strait::OolThreshold;
using strait::OutOfLineBytes;
using strait::detail::LoanSegment;
using strait::detail::OolReference;
using Place = OolReference::Place;

namespace {

constexpr std::size_t threshold = 4096;
template <class Way>
using LinkBy = RawLink<strait::MachTransport<OolThreshold<threshold, Way>>>;
using Link = LinkBy<Loan>;
using SmallPool = LinkBy<LoanUpTo<(std::size_t{1} << 20)>>;

struct Keeper {
  std::vector<OutOfLineBytes> kept{};
  void operator()(OutOfLineBytes buffer) { kept.push_back(std::move(buffer)); }
};

/// How many mappings of this process are of segments that are lent.
std::size_t mapped_segments() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("strait-loan") != std::string::npos) ++count;
  }
  return count;
}

template <class L>
OutOfLineBytes filled(L& link, std::size_t size, std::uint64_t seed) {
  auto buffer = link.out_of_line_bytes(size).value();
  fill_pattern(buffer.writable().value(), seed);
  return buffer;
}

template <class L>
struct Lenders {
  Pair<L> pair = connected_pair<L>();
  Keeper keeper{};

  bool deliver(std::size_t count) {
    return pump_until(pair.server, keeper, pair.client, pair.at_client,
                      [&] { return keeper.kept.size() >= count; });
  }
};

}  // namespace

TEST_CASE("a buffer that came back is lent again", "[loan]") {
  Lenders<Link> ends;
  std::set<const std::byte*> at_sender;
  std::set<const std::byte*> at_receiver;
  for (std::size_t i = 0; i != 20; ++i) {
    auto buffer = filled(ends.pair.client, 100'000, i);
    at_sender.insert(buffer.bytes().data());
    REQUIRE(ends.pair.client.send(std::move(buffer)));
    REQUIRE(ends.deliver(1));
    CHECK(same_bytes(ends.keeper.kept[0], pattern(100'000, i)));
    at_receiver.insert(ends.keeper.kept[0].bytes().data());
    ends.keeper.kept.clear();
  }
  CHECK(at_sender.size() == 1);
  CHECK(at_receiver.size() == 1);
  CHECK(mapped_segments() == 2);
}

TEST_CASE("what is written is what is read, without a copy", "[loan]") {
  Lenders<Link> ends;
  auto buffer = filled(ends.pair.client, 50'000, 1);
  std::byte* const written = buffer.writable().value().data();
  REQUIRE(ends.pair.client.send(std::move(buffer)));
  REQUIRE(ends.deliver(1));
  // Only one who does not cooperate writes now; here it shows that both see one memory.
  fill_pattern({written, 50'000}, 2);
  CHECK(same_bytes(ends.keeper.kept[0], pattern(50'000, 2)));
}

TEST_CASE("buffers come back in any order", "[loan]") {
  Lenders<Link> ends;
  constexpr std::size_t count = 6;
  for (std::size_t round = 0; round != 10; ++round) {
    for (std::size_t i = 0; i != count; ++i) {
      REQUIRE(ends.pair.client.send(filled(ends.pair.client, 70'000 + i, round * 100 + i)));
    }
    REQUIRE(ends.deliver(count));
    for (std::size_t left = count; left != 0; --left) {
      for (const OutOfLineBytes& kept : ends.keeper.kept) {
        const std::size_t i = kept.size() - 70'000;
        CHECK(same_bytes(kept, pattern(kept.size(), round * 100 + i)));
      }
      ends.keeper.kept.erase(ends.keeper.kept.begin() +
                             static_cast<std::ptrdiff_t>((round * 7 + left * 5) % left));
    }
  }
  CHECK(mapped_segments() == 2 * count);
}

TEST_CASE("a buffer that is not sent comes back, too", "[loan]") {
  Lenders<Link> ends;
  const std::byte* const first = filled(ends.pair.client, 5000, 1).bytes().data();
  CHECK(filled(ends.pair.client, 6000, 1).bytes().data() == first);
  CHECK(mapped_segments() == 1);
}

TEST_CASE("a buffer and its sender's pool outlive each other", "[loan]") {
  OutOfLineBytes unsent;
  OutOfLineBytes received;
  {
    Lenders<Link> ends;
    unsent = filled(ends.pair.client, 5000, 1);
    REQUIRE(ends.pair.client.send(filled(ends.pair.client, 6000, 2)));
    REQUIRE(ends.deliver(1));
    received = std::move(ends.keeper.kept[0]);
  }
  CHECK(mapped_segments() == 2);
  CHECK(same_bytes(unsent, pattern(5000, 1)));
  CHECK(same_bytes(received, pattern(6000, 2)));
  // Over another channel, whose pool it is not of.
  Lenders<Link> others;
  REQUIRE(others.pair.client.send(std::move(unsent)));
  REQUIRE(others.pair.client.send(received));
  REQUIRE(others.pair.client.send(std::move(received)));
  REQUIRE(others.deliver(3));
  CHECK(same_bytes(others.keeper.kept[0], pattern(5000, 1)));
  CHECK(same_bytes(others.keeper.kept[1], pattern(6000, 2)));
  CHECK(same_bytes(others.keeper.kept[2], pattern(6000, 2)));
}

TEST_CASE("all is unmapped when the channel and its buffers are gone", "[loan]") {
  {
    Lenders<Link> ends;
    for (std::size_t i = 0; i != 5; ++i) {
      REQUIRE(ends.pair.client.send(filled(ends.pair.client, 70'000, i)));
      REQUIRE(ends.pair.server.send(filled(ends.pair.server, 70'000, i)));
    }
    REQUIRE(ends.deliver(5));
    REQUIRE(ends.pair.deliver_to_client(5));
    CHECK(mapped_segments() != 0);
  }
  CHECK(mapped_segments() == 0);
}

TEST_CASE("when all is lent, messages travel by themselves, in order, none lost", "[loan]") {
  Lenders<SmallPool> ends;
  // Sixteen of the least size fill the pool; the receiver keeps them all.
  constexpr std::size_t count = 60;
  std::size_t sent = 0;
  REQUIRE(pump_until(ends.pair.server, ends.keeper, ends.pair.client, ends.pair.at_client, [&] {
    for (; sent != count; ++sent) {
      const bool ordinary = sent % 2 == 0;
      if (!(ordinary ? ends.pair.client.send(pattern(10'000, sent))
                     : ends.pair.client.send(filled(ends.pair.client, 10'000, sent)))) {
        break;
      }
    }
    return ends.keeper.kept.size() == count;
  }));
  for (std::size_t i = 0; i != count; ++i) {
    CHECK(same_bytes(ends.keeper.kept[i], pattern(10'000, i)));
  }
  CHECK(mapped_segments() == 2 * 16);
  // Larger than all of it, and with room again.
  REQUIRE(ends.pair.client.send(filled(ends.pair.client, 3 << 20, 1)));
  REQUIRE(ends.deliver(count + 1));
  CHECK(same_bytes(ends.keeper.kept.back(), pattern(3 << 20, 1)));
  ends.keeper.kept.clear();
  for (std::size_t i = 0; i != 16; ++i) REQUIRE(ends.pair.client.send(pattern(60'000, i)));
  REQUIRE(ends.deliver(16));
  CHECK(mapped_segments() == 2 * 16);
}

TEST_CASE("a stream of loans to who does not look queues up to the bound and loses nothing",
          "[loan]") {
  constexpr strait::ChannelOptions narrow{.max_queued_bytes = 200'000};
  using Narrow =
      RawLink<strait::MachTransport<OolThreshold<threshold, LoanUpTo<(std::size_t{1} << 20)>>>,
              narrow>;
  Lenders<Narrow> ends;
  std::size_t sent = 0;
  while (ends.pair.client.send(filled(ends.pair.client, 20'000, sent))) ++sent;
  CHECK(ends.pair.client.queued_bytes() <= 200'000);
  REQUIRE(ends.deliver(sent));
  for (std::size_t i = 0; i != sent; ++i) {
    CHECK(same_bytes(ends.keeper.kept[i], pattern(20'000, i)));
  }
}

// --- peers that break the rules -----------------------------------------------------------------

namespace {

struct Connected {
  std::string name = unique_name("hostile");
  strait::Token token = new_token();
  SmallPool link = SmallPool::listen(name, token).value();
  Keeper keeper{};
  RawClient peer{link, keeper, name, token};

  void lend(const OolReference& note, int fd) {
    REQUIRE(peer.pass(std::array{fd}));
    write(note, 1);
  }
  void write(const OolReference& note, std::uint8_t descriptors) {
    peer.out.ring.write({sizeof note, 0, loan, descriptors}, note.bytes_of());
  }
  std::error_code end() { return poll_until_error(link, keeper); }
};

std::error_code end_of(const std::function<void(Connected&)>& attack) {
  Connected channel;
  attack(channel);
  return channel.end();
}

constexpr unsigned sized = strait::linux_mach::seals_of_size;

}  // namespace

TEST_CASE("a lender that keeps the rules by hand is heard", "[loan][hostile]") {
  Connected channel;
  const std::size_t page = LoanSegment::header_bytes();
  const auto file = memory_file(page + 8192, sized);
  channel.lend({8192, 7, Place::fresh}, file.get());
  channel.write({100, 7, Place::cached}, 0);
  CHECK(channel.link.poll(channel.keeper).value() == 2);
  REQUIRE(channel.keeper.kept.size() == 2);
  CHECK(channel.keeper.kept[0].size() == 8192);
  CHECK(channel.keeper.kept[1].size() == 100);
  // Lent twice at once: that is the lender's own trouble.
  channel.keeper.kept.clear();
  channel.write({8192, 7, Place::cached}, 0);
  CHECK(channel.link.poll(channel.keeper).value() == 1);
}

TEST_CASE("a segment that is not what it claims ends the channel", "[loan][hostile]") {
  const std::size_t page = LoanSegment::header_bytes();
  const auto with = [](const OolReference& note, const Descriptor& file) {
    return end_of([&](Connected& c) { c.lend(note, file.get()); });
  };
  CHECK(with({100, 0, Place::fresh}, memory_file(page + 4096, 0)) == Errc::bad_region);
  CHECK(with({4097, 0, Place::fresh}, memory_file(page + 4096, sized)) == Errc::bad_region);
  CHECK(with({1, 0, Place::fresh}, memory_file(page, sized)) == Errc::bad_region);
  CHECK(with({0, 0, Place::fresh}, memory_file(page - 1, sized)) == Errc::bad_region);
  CHECK(with({0, 0, Place::fresh}, memory_file(0, sized)) == Errc::bad_region);
  CHECK(with({1, 0, Place::fresh}, socket_pair()[0]) == Errc::bad_region);
  CHECK(with({100, 0, Place::fresh}, memory_file(page + (1 << 20) + 1, sized)) == Errc::bad_region);
  CHECK(with({~std::uint64_t{0}, 0, Place::fresh}, memory_file(page + 4096, sized)) ==
        Errc::message_too_large);
}

TEST_CASE("a peer can't have more mapped than the pool's bound", "[loan][hostile]") {
  const std::size_t page = LoanSegment::header_bytes();
  CHECK(end_of([&](Connected& c) {
          const auto file = memory_file(page + (1 << 20), sized);
          c.lend({10, 0, Place::fresh}, file.get());
          c.lend({10, 1, Place::fresh}, file.get());
        }) == Errc::bad_region);
  CHECK(mapped_segments() == 0);
}

TEST_CASE("a loan without its segment, or with two, ends the channel", "[loan][hostile]") {
  const std::size_t page = LoanSegment::header_bytes();
  const auto file = memory_file(page + 4096, sized);
  const auto most = static_cast<std::uint32_t>(strait::detail::max_segments);
  const auto writes = [](const OolReference& note, std::uint8_t descriptors) {
    return end_of([&](Connected& c) { c.write(note, descriptors); });
  };
  CHECK(writes({10, 0, Place::fresh}, 0) == Errc::malformed);
  CHECK(writes({10, 0, Place::fresh}, 1) == Errc::malformed);
  CHECK(writes({10, 0, Place::cached}, 0) == Errc::malformed);
  CHECK(writes({10, most, Place::cached}, 0) == Errc::malformed);
  CHECK(writes({10, ~std::uint32_t{0}, Place::cached}, 0) == Errc::malformed);
  const auto lends = [&](const OolReference& note) {
    return end_of([&](Connected& c) { c.lend(note, file.get()); });
  };
  CHECK(lends({10, 0, Place::once}) == Errc::malformed);
  CHECK(lends({10, 0, Place::cached}) == Errc::malformed);
  CHECK(lends({10, most, Place::fresh}) == Errc::malformed);
  CHECK(lends({10, 0, Place{9}}) == Errc::malformed);
  CHECK(end_of([&](Connected& c) {
          c.lend({10, 0, Place::fresh}, file.get());
          c.lend({10, 0, Place::fresh}, file.get());
        }) == Errc::malformed);
  CHECK(end_of([&](Connected& c) {
          c.lend({10, 0, Place::fresh}, file.get());
          c.write({4097, 0, Place::cached}, 0);
        }) == Errc::malformed);
}

TEST_CASE("memory that this side holds is not lent again, whatever the borrower writes",
          "[loan][hostile]") {
  Connected channel;
  const std::size_t bytes = 5000;
  auto first = channel.link.out_of_line_bytes(bytes).value();
  const auto* at = first.bytes().data();
  REQUIRE(channel.link.send(std::move(first)));
  strait::os::DescriptorQueue files;
  std::array<std::byte, 1> doorbell;
  while (files.size() == 0) {
    REQUIRE(strait::os::receive_packet(channel.peer.socket.get(), doorbell, files));
  }
  const auto segment = strait::os::Mapping::map(LoanSegment::header_bytes(), PROT_READ | PROT_WRITE,
                                                MAP_SHARED, files.at(0))
                           .value();
  auto& free = *reinterpret_cast<std::atomic<std::uint32_t>*>(segment.data());
  free = 1;  // given back
  auto second = channel.link.out_of_line_bytes(bytes).value();
  CHECK(second.bytes().data() == at);
  free = 1;  // and again, while the lender writes to it
  auto third = channel.link.out_of_line_bytes(bytes).value();
  CHECK(third.bytes().data() != at);
  // It is the borrower's only when it was sent.
  REQUIRE(channel.link.send(std::move(second)));
  CHECK(free == 0);
  auto fourth = channel.link.out_of_line_bytes(bytes).value();
  CHECK(fourth.bytes().data() != at);
}
