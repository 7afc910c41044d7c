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

using Link = RawLink<strait::MachTransport<strait::OolThreshold<4096>>,
                     strait::ChannelOptions{.passable = true}>;
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
  constexpr std::size_t count = 2 * strait::detail::kept_regions + 3;
  for (std::size_t i = 0; i != count; ++i) buffers.push_back(filled(pair.client, i));
  for (int round = 0; round != 3; ++round) {
    for (std::size_t i = 0; i != count; ++i) {
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

  using Lending = RawLink<strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>,
                          strait::ChannelOptions{.passable = true}>;
  auto lenders = connected_pair<Lending>();
  REQUIRE(lenders.client.send(pattern(size)));
  CHECK(lenders.client.into_right().error() == Errc::unsupported);
  REQUIRE(lenders.deliver_to_server(1));
  CHECK(lenders.server.into_right().error() == Errc::unsupported);
  CHECK(lenders.client.send(pattern(size)));
}

namespace {

/// Writes a byte in a buffer, and in what it is compared with.
void write_byte(OutOfLineBytes& buffer, std::vector<std::byte>& expected, std::size_t at,
                std::byte value) {
  buffer.writable(at, 1).value()[0] = value;
  expected[at] = value;
}

}  // namespace

TEST_CASE("of a buffer that is sent again only what was written travels", "[region]") {
  auto pair = connected_pair<Link>();
  auto buffer = filled(pair.client, 1);
  auto expected = pattern(size, 1);
  const std::byte* at = nullptr;
  const auto listener = [&](View bytes) {
    CHECK(same_bytes(bytes, expected));
    at = bytes.data();
  };
  REQUIRE(pair.client.send(buffer));
  CHECK(pair.server.poll(listener).value() == 1);
  write_byte(buffer, expected, 7, std::byte{1});
  REQUIRE(pair.client.send(buffer));  // from now on the receiver keeps it
  CHECK(pair.server.poll(listener).value() == 1);
  const std::byte* const kept_at = at;
  const std::size_t mapped = mapped_regions();
  for (std::size_t i = 0; i != 300; ++i) {
    write_byte(buffer, expected, (i * 7919) % size, static_cast<std::byte>(i));
    write_byte(buffer, expected, size - 1, static_cast<std::byte>(i));
    REQUIRE(pair.client.send(buffer));
    CHECK(pair.server.poll(listener).value() == 1);
    REQUIRE(at == kept_at);
    REQUIRE(mapped_regions() == mapped);
  }
  // All of it is another region, after which the parts travel again.
  fill_pattern(buffer.writable().value(), 2);
  expected = pattern(size, 2);
  for (std::size_t i = 0; i != 5; ++i) {
    REQUIRE(pair.client.send(buffer));
    CHECK(pair.server.poll(listener).value() == 1);
    write_byte(buffer, expected, 4000 + i, std::byte{3});
  }
  CHECK(buffer.writable(size, 0));
  CHECK_FALSE(buffer.writable(size, 1));
  CHECK_FALSE(buffer.writable(size + 1, 0));
  CHECK_FALSE(buffer.writable(1, SIZE_MAX));
}

TEST_CASE("a patch changes no buffer that a listener keeps or has sent on", "[region]") {
  auto pair = connected_pair<Link>();
  auto onward = connected_pair<Link>();
  auto buffer = filled(pair.client, 1);
  auto expected = pattern(size, 1);
  std::vector<OutOfLineBytes> kept;
  std::vector<std::vector<std::byte>> kept_expected;
  for (std::size_t i = 0; i != 12; ++i) {
    write_byte(buffer, expected, 100 * i, static_cast<std::byte>(i + 1));
    REQUIRE(pair.client.send(buffer));
    const auto keep = [&](OutOfLineBytes received) {
      CHECK(same_bytes(received.bytes(), expected));
      REQUIRE(onward.client.send(received));
      if (i % 3 != 0) return;
      kept.push_back(std::move(received));
      kept_expected.push_back(expected);
    };
    CHECK(pair.server.poll(keep).value() == 1);
    CHECK(onward.server.poll([&](View bytes) { CHECK(same_bytes(bytes, expected)); }).value() == 1);
  }
  for (std::size_t i = 0; i != kept.size(); ++i) {
    CHECK(same_bytes(kept[i].bytes(), kept_expected[i]));
    kept[i].writable(0, 1).value()[0] = std::byte{0xee};
  }
  write_byte(buffer, expected, 3, std::byte{9});
  REQUIRE(pair.client.send(buffer));
  CHECK(pair.server.poll([&](View bytes) { CHECK(same_bytes(bytes, expected)); }).value() == 1);
}

TEST_CASE("a buffer goes to several receivers, each of which is brought up to date", "[region]") {
  auto first = connected_pair<Link>();
  auto second = connected_pair<Link>();
  auto buffer = filled(first.client, 1);
  auto expected = pattern(size, 1);
  const auto listener = [&](View bytes) { CHECK(same_bytes(bytes, expected)); };
  for (std::size_t i = 0; i != 40; ++i) {
    write_byte(buffer, expected, 31 * i, static_cast<std::byte>(i + 1));
    REQUIRE(first.client.send(buffer));
    CHECK(first.server.poll(listener).value() == 1);
    if (i % 3 == 0) {
      REQUIRE(second.client.send(buffer));
      CHECK(second.server.poll(listener).value() == 1);
    }
  }
}

TEST_CASE("a receiver that does not read loses no patch", "[region]") {
  auto pair = connected_pair<Link>();
  auto buffer = filled(pair.client, 1);
  auto expected = pattern(size, 1);
  std::vector<std::vector<std::byte>> sent;
  for (std::size_t i = 0; i != 900; ++i) {
    const std::size_t at = (i * 6007) % (size - 4000);
    for (std::size_t byte = 0; byte != 4000; byte += 500) {
      write_byte(buffer, expected, at + byte, static_cast<std::byte>(i + byte));
    }
    if (!pair.client.send(buffer)) break;
    sent.push_back(expected);
  }
  CHECK(sent.size() > 10);
  std::size_t received = 0;
  const auto listener = [&](View bytes) {
    REQUIRE(received < sent.size());
    CHECK(same_bytes(bytes, sent[received++]));
  };
  while (received != sent.size()) {
    static_cast<void>(pair.client.flush(1ms));
    REQUIRE(pair.server.wait(listener, 1s).value() != 0);
  }
}
