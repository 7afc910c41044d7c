// Regions that are sent again: named, not sent; kept as long as they may be sent; never more than
// there are places.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "conformance/channels.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;

namespace {

using Link = RawLink<strait::MachTransport<strait::OolThreshold<4096>>>;
constexpr std::size_t size = 50'000;

/// How many mappings of this process are of regions.
std::size_t mapped_regions() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("strait-region") != std::string::npos) ++count;
  }
  return count;
}

OutOfLineBytes filled(Link& link, std::uint64_t seed) {
  auto buffer = link.out_of_line_bytes(size).value();
  fill_pattern(buffer.writable().value(), seed);
  return buffer;
}

/// Where the message was read, which must be this pattern.
const std::byte* read_at(Pair<Link>& pair, std::uint64_t seed) {
  const std::byte* at = nullptr;
  const auto listener = [&](View bytes) {
    CHECK(same_bytes(bytes, pattern(size, seed)));
    at = bytes.data();
  };
  CHECK(pair.server.poll(listener).value() == 1);
  return at;
}

/// Has the sender look what its receiver need not keep.
void let_tidy(Pair<Link>& pair) {
  CHECK(pair.client.wait(pair.at_client, 1ms).value() == 0);
  CHECK(pair.server.poll(pair.at_server).value() == 0);
}

}  // namespace

TEST_CASE("a region that is sent again is read where it was, and takes nothing new", "[region]") {
  auto pair = connected_pair<Link>();
  auto buffer = filled(pair.client, 1);
  for (int i = 0; i != 2; ++i) {
    REQUIRE(pair.client.send(buffer));
    read_at(pair, 1);
  }
  const std::size_t mapped = mapped_regions();
  CHECK(mapped == 2);  // the sender's, and the one that the receiver keeps
  std::set<const std::byte*> places;
  for (int i = 0; i != 10; ++i) {
    REQUIRE(pair.client.send(buffer));
    places.insert(read_at(pair, 1));
    CHECK(mapped_regions() == mapped);
  }
  CHECK(places.size() == 1);
  // Changed it is another one, and named again once it was sent.
  fill_pattern(buffer.writable().value(), 2);
  for (int i = 0; i != 4; ++i) {
    REQUIRE(pair.client.send(buffer));
    read_at(pair, 2);
  }
}

TEST_CASE("what nobody can send again is not kept", "[region]") {
  auto pair = connected_pair<Link>();
  {
    auto buffer = filled(pair.client, 1);
    for (int i = 0; i != 3; ++i) {
      REQUIRE(pair.client.send(buffer));
      read_at(pair, 1);
    }
    let_tidy(pair);
    CHECK(mapped_regions() == 2);
  }
  let_tidy(pair);
  CHECK(mapped_regions() == 0);
}

TEST_CASE("a receiver keeps no more regions than there are places, the latest", "[region]") {
  auto pair = connected_pair<Link>();
  std::vector<OutOfLineBytes> buffers;
  constexpr std::uint64_t count = 2 * strait::detail::kept_regions + 3;
  for (std::uint64_t i = 0; i != count; ++i) buffers.push_back(filled(pair.client, i));
  for (int round = 0; round != 3; ++round) {
    for (std::uint64_t i = 0; i != count; ++i) {
      REQUIRE(pair.client.send(buffers[i]));
      read_at(pair, i);
      CHECK(mapped_regions() <= count + strait::detail::kept_regions);
    }
  }
  const std::size_t mapped = mapped_regions();
  CHECK(mapped == count + strait::detail::kept_regions);
  REQUIRE(pair.client.send(buffers.back()));
  const auto* first = read_at(pair, count - 1);
  REQUIRE(pair.client.send(buffers.back()));
  CHECK(read_at(pair, count - 1) == first);
}

TEST_CASE("an end that keeps regions, or lends, is not passed on", "[region][loan]") {
  auto pair = connected_pair<Link>();
  auto buffer = filled(pair.client, 1);
  for (int i = 0; i != 2; ++i) {
    REQUIRE(pair.client.send(buffer));
    read_at(pair, 1);
  }
  CHECK(pair.server.into_right().error() == Errc::unsupported);
  REQUIRE(pair.client.send(buffer));
  read_at(pair, 1);
  buffer = OutOfLineBytes();
  let_tidy(pair);
  CHECK(pair.server.into_right());

  using Lending = RawLink<strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>>;
  auto lenders = connected_pair<Lending>();
  REQUIRE(lenders.client.send(pattern(size)));
  CHECK(lenders.client.into_right().error() == Errc::unsupported);
  REQUIRE(lenders.deliver_to_server(1));
  CHECK(lenders.server.into_right().error() == Errc::unsupported);
  CHECK(lenders.client.send(pattern(size)));
}
