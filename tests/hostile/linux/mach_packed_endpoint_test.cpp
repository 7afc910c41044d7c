// Packed endpoints with a link's ports in them, packed by hand, and not by the rules.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "conformance/rights.hpp"
#include "strait/transports/mach.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::MachTransport;
using strait::detail::Right;
using strait::linux_mach::NewLink;
using strait::linux_mach::PackedEndpointLabel;
using strait::linux_mach::RingMemory;
using strait::os::memory_file_of;
using strait::os::socket_pair;

namespace {

using Link =
    RawLink<MachTransport<>, strait::ChannelOptions{.max_message_bytes = 1 << 20, .max_rights = 8}>;

/// All that an honest packed endpoint has, to be spoiled in one way or another, and the other end
/// of it.
struct Contents {
  std::vector<int> first() const {
    const auto descriptors = theirs.far_descriptors();
    return {descriptors.begin(), descriptors.end()};
  }

  Right pack(std::span<const int> descriptors) const {
    return pack(descriptors, std::as_bytes(std::span(&label, 1)));
  }
  Right pack(std::span<const int> descriptors, View bytes) const {
    REQUIRE(strait::os::send_packet(sockets[0].get(), bytes, descriptors));
    for (const std::size_t count : later) {
      const std::vector<int> copies(count, file.get());
      REQUIRE(strait::os::send_packet(sockets[0].get(), pattern(1), copies));
    }
    return {std::move(sockets[1])};
  }
  /// What a channel makes of it.
  std::error_code open(std::span<const int> descriptors) const {
    Right right = pack(descriptors);
    const auto link = Link::from_right(right);
    return link ? std::error_code() : link.error();
  }

  PackedEndpointLabel label{PackedEndpointLabel::own_magic, 0, 0, 0, 0};
  std::vector<std::size_t> later;
  Descriptor file = strait::os::open("/dev/null", O_RDONLY).value();
  NewLink theirs = NewLink::create(std::size_t{1} << 20).value();
  mutable std::array<Descriptor, 2> sockets = socket_pair(SOCK_SEQPACKET).value();
};

}  // namespace

TEST_CASE("a packed endpoint by the rules, by hand, is a channel", "[hostile][rights][mach]") {
  Contents contents;
  Right right = contents.pack(contents.first());
  auto link = Link::from_right(right).value();
  REQUIRE(link.send(pattern(7)));
  const auto record = contents.theirs.ports.in.peek();
  REQUIRE(record);
  CHECK(record->bytes == 7);
}

TEST_CASE("what is no packed endpoint is left as it is", "[hostile][rights][mach]") {
  const auto attach = [](Descriptor descriptor) {
    Right right{std::move(descriptor)};
    const auto link = Link::from_right(right);
    CHECK(right.descriptor);
    return link ? std::error_code() : link.error();
  };
  CHECK(attach(strait::os::open("/dev/null", O_RDONLY).value()) == Errc::wrong_right);
  CHECK(attach(std::move(socket_pair(SOCK_STREAM).value()[0])) == Errc::wrong_right);
  CHECK(attach(std::move(socket_pair(SOCK_DGRAM).value()[0])) == Errc::wrong_right);
  CHECK(attach(std::move(socket_pair(SOCK_SEQPACKET).value()[0])) == Errc::wrong_right);
  const auto open = socket_pair(SOCK_SEQPACKET).value();
  CHECK(attach(Descriptor(::dup(open[0].get()))) == Errc::wrong_right);
  CHECK(attach(Descriptor(::memfd_create("x", MFD_CLOEXEC))) == Errc::wrong_right);
}

TEST_CASE("a packed endpoint with a wrong label is turned down", "[hostile][rights][mach]") {
  Contents contents;
  SECTION("another magic number") { contents.label.magic += 1; }
  SECTION("neither begun nor not") { contents.label.begun = 2; }
  SECTION("a begun message, but no bytes") { contents.label.begun = 1; }
  SECTION("rights of no message") { contents.label.rights = 1; }
  SECTION("a longer one") {
    Bytes bytes(sizeof contents.label + 1);
    std::memcpy(bytes.data(), &contents.label, sizeof contents.label);
    Right right = contents.pack(contents.first(), bytes);
    CHECK(Link::from_right(right).error() == Errc::wrong_right);
    return;
  }
  SECTION("a shorter one") {
    Right right = contents.pack(contents.first(), pattern(sizeof contents.label - 1));
    CHECK(Link::from_right(right).error() == Errc::wrong_right);
    return;
  }
  CHECK(contents.open(contents.first()) == Errc::wrong_right);
}

TEST_CASE("a packed endpoint without the right descriptors is turned down",
          "[hostile][rights][mach]") {
  Contents contents;
  auto first = contents.first();
  SECTION("none") { first.clear(); }
  SECTION("too few") { first.pop_back(); }
  SECTION("too many") { first.push_back(contents.file.get()); }
  SECTION("as many as can be") { first.resize(253, contents.file.get()); }
  CHECK(contents.open(first) == Errc::wrong_right);
}

TEST_CASE("lanes in a packed endpoint are a peer's lanes", "[hostile][rights][mach]") {
  Contents contents;
  auto first = contents.first();
  const std::size_t lane = GENERATE(1u, 2u);
  std::vector<Descriptor> owned;
  std::error_code expected = make_error_code(Errc::bad_region);
  const std::size_t page = strait::os::page_size();
  const auto ring = [&](std::size_t bytes, unsigned seals) {
    owned.push_back(strait::os::create_memory_file("x", bytes).value());
    REQUIRE(strait::os::add_seals(owned.back().get(), seals));
    first[lane] = owned.back().get();
  };
  constexpr unsigned sealed = strait::os::seals_of_size;
  SECTION("socket and memory the other way round") {
    std::swap(first[0], first[lane]);
    expected = make_error_code(Errc::malformed);
  }
  SECTION("a stream") {
    owned.push_back(std::move(socket_pair(SOCK_STREAM).value()[0]));
    first[0] = owned.back().get();
    expected = make_error_code(Errc::malformed);
  }
  SECTION("a file") { first[lane] = contents.file.get(); }
  SECTION("memory that can shrink") { ring(page + 262'144, sealed & ~unsigned{F_SEAL_SHRINK}); }
  SECTION("memory that can grow") { ring(page + 262'144, sealed & ~unsigned{F_SEAL_GROW}); }
  SECTION("memory of no size") { ring(0, sealed); }
  SECTION("memory of an odd size") { ring(page + 262'144 + page, sealed); }
  SECTION("memory of a huge size") { ring(page + (std::size_t{128} << 20), sealed); }
  SECTION("memory that can't be written to") { ring(page + 262'144, strait::os::seals_of_content); }
  SECTION("memory open for reading alone") {
    const std::string path = "/proc/self/fd/" + std::to_string(first[lane]);
    owned.push_back(strait::os::open(path.c_str(), O_RDONLY).value());
    first[lane] = owned.back().get();
  }
  CHECK(contents.open(first) == expected);
}

TEST_CASE("a lane with less room than a message's part needs is turned down",
          "[hostile][rights][mach]") {
  Contents contents;
  const auto small = NewLink::create(16384).value();
  auto first = contents.first();
  first[2] = small.ports.in.memory_file().get();
  CHECK(contents.open(first) == Errc::bad_region);
}

TEST_CASE("positions in a packed endpoint may be anything", "[hostile][rights][mach]") {
  Contents contents;
  const std::uint64_t position =
      GENERATE(std::uint64_t{8}, std::uint64_t{1} << 20, (std::uint64_t{1} << 20) + 8,
               std::uint64_t{1} << 63, UINT64_MAX - 7, UINT64_MAX - 65535);
  CAPTURE(position);
  SECTION("but those between the words") {
    (GENERATE(false, true) ? contents.label.read_position : contents.label.write_position) =
        position + GENERATE(1u, 4u, 7u);
    CHECK(contents.open(contents.first()) == Errc::malformed);
  }
  SECTION("of the reader: it finds nothing, or what its peer wrote") {
    // Everything in the ring looks like a record.
    auto memory = RingMemory::adopt(contents.theirs.ports.out.memory_file()).value();
    auto ring = memory.writer();
    std::byte* body = ring.reserve(ring.max_bytes()).value();
    std::memset(body, 0xc1, ring.max_bytes());
    ring.stage({static_cast<std::uint32_t>(ring.max_bytes()), 0, 1, 0});
    static_cast<void>(ring.publish());
    contents.label.read_position = position;
    Right right = contents.pack(contents.first());
    auto link = Link::from_right(right).value();
    RightsInbox inbox;
    contents.theirs = {};
    CHECK(poll_until_error(link, inbox));
  }
  SECTION("of the writer: it writes inside of the ring, or nothing") {
    contents.label.write_position = position;
    Right right = contents.pack(contents.first());
    auto link = Link::from_right(right).value();
    for (int i = 0; i != 100; ++i) {
      const auto sent = link.send(pattern(30'000));
      if (!sent) CHECK(sent.error() == Errc::malformed);
    }
  }
}

TEST_CASE("a message that had come in part is a peer's message", "[hostile][rights][mach]") {
  Contents contents;
  contents.label.begun = 1;
  auto first = contents.first();
  RightsInbox inbox;
  const auto finish = [&](Link& link) {
    const auto room = contents.theirs.ports.out.reserve(10).value();
    std::memcpy(room, pattern(10).data(), 10);
    REQUIRE(contents.theirs.ports.out.stage({10, 0, 3, 0}));
    contents.theirs.ports.out.publish();
    return poll_until(link, inbox, [&] { return !inbox.messages.empty(); });
  };
  SECTION("by the rules") {
    const std::size_t size = GENERATE(0u, 100u, 500'000u);
    const auto file = memory_file_of(pattern(size)).value();
    first.push_back(file.get());
    contents.label.rights = 3;
    contents.later = {1, 2};
    Right right = contents.pack(first);
    auto link = Link::from_right(right).value();
    REQUIRE(finish(link));
    CHECK(inbox.messages[0].size() == size + 10);
    CHECK(inbox.rights[0].size() == 3);
  }
  SECTION("of holes, which would be its reader's to fill") {
    const auto huge = strait::os::create_memory_file("x", std::size_t{1} << 40).value();
    REQUIRE(strait::os::add_seals(huge.get(), strait::os::seals_of_content));
    first.push_back(huge.get());
    CHECK(contents.open(first) == Errc::bad_region);
  }
  SECTION("larger than messages are") {
    const auto huge = memory_file_of(Bytes(Link::channel_options.max_message_bytes + 1)).value();
    first.push_back(huge.get());
    Right right = contents.pack(first);
    auto link = Link::from_right(right).value();
    // Going on with it unread is no work, whatever its size.
    if (GENERATE(false, true)) {
      right = link.into_right().value();
      link = Link::from_right(right).value();
    }
    CHECK(poll_until_error(link, inbox) == Errc::message_too_large);
  }
  SECTION("that could change") {
    const auto file = strait::os::create_memory_file("x", 100).value();
    REQUIRE(strait::os::add_seals(file.get(), strait::os::seals_of_size));
    first.push_back(file.get());
    CHECK(contents.open(first) == Errc::bad_region);
  }
  SECTION("with fewer rights than it has") {
    const auto file = memory_file_of(pattern(10)).value();
    first.push_back(file.get());
    contents.label.rights = 3;
    contents.later = {2};
    CHECK(contents.open(first) == Errc::wrong_right);
  }
  SECTION("with more rights than a message can have") {
    const auto file = memory_file_of(pattern(10)).value();
    first.push_back(file.get());
    contents.label.rights = 128;
    contents.later = {128};
    CHECK(contents.open(first) == Errc::wrong_right);
  }
}

TEST_CASE("descriptors without end in a packed endpoint are turned down",
          "[hostile][rights][mach]") {
  Contents contents;
  contents.later = {253, 253, 253};
  CHECK(contents.open(contents.first()) == Errc::wrong_right);
}
