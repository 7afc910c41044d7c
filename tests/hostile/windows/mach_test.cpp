// Peers that break the rules of a link over rings: what they name, what they write there and over
// the pipe.

#include <strait/mach/windows/kernel.hpp>
#include <strait/os/windows/mapping.hpp>

#include <cstring>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/refusals.hpp"

using namespace strait_test;
using strait::windows::Descriptor;
using strait::windows::Mapping;
using strait::windows::PipeEnd;
using strait::windows_mach::object_of;
using strait::windows_mach::Part;
using strait::windows_mach::RingMemory;
using strait::windows_mach::Stem;

namespace {

using MachDoorLink =
    RawLink<Mach, strait::ChannelOptions{.handshake_timeout_ms = 200}, SharedRefusals>;
constexpr std::size_t ring_bytes = std::size_t{1} << 20;

/// A server, and a client that does by hand what it likes.
struct MachDoor {
  const std::string name = unique_name("mach-door");
  const strait::Token token = new_token();
  SharedRefusals refusals{};
  MachDoorLink server = MachDoorLink::listen(name, token, refusals).value();
  Inbox at_server{};
  Stem stem = strait::windows_mach::new_stem().value();
  const strait::windows::Protection protection = strait::windows::Protection::create().value();
  PipeEnd pipe{};
  Descriptor events[2]{};

  void make_events() {
    for (const Part part : {Part::servers, Part::clients}) {
      events[part == Part::clients].reset(
          ::CreateEventW(nullptr, TRUE, FALSE, object_of(stem, part).c_str()));
    }
  }
  void say_hello() {
    auto found = strait::detail::connect_to_name(strait::windows_mach::kind, name).value();
    pipe = PipeEnd::create(std::move(found)).value();
    const auto terms = MachDoorLink::terms(token);
    const auto hello =
        strait::detail::encode_hello(terms.schema.hash, token, terms.options, terms.schema.digests);
    REQUIRE(strait::windows_mach::write_greeting(pipe, hello.bytes(), false, stem));
  }
  bool is_refused() {
    return poll_until(server, at_server, [&] { return !refusals.log->why.empty(); }) &&
           at_server.connected == 0;
  }
  bool lets_honest_client_in() {
    Inbox inbox;
    auto client = MachDoorLink::connect(name, token).value();
    return pump_until(server, at_server, client, inbox, [&] { return inbox.connected == 1; });
  }
};

/// A section of that name, made in any way.
Descriptor section_of(const Stem& stem, Part part, std::size_t bytes, DWORD kind) {
  Descriptor made(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | kind, 0,
                                       static_cast<DWORD>(bytes), object_of(stem, part).c_str()));
  REQUIRE(made);
  return made;
}

/// A peer that has shaken hands by the rules.
struct MachPeer {
  MachDoor door{};
  RingMemory up, down;

  MachPeer() {
    up = RingMemory::create(object_of(door.stem, Part::up), ring_bytes, door.protection).value();
    down =
        RingMemory::create(object_of(door.stem, Part::down), ring_bytes, door.protection).value();
    door.make_events();
    door.say_hello();
    REQUIRE(poll_until(door.server, door.at_server, [&] { return door.at_server.connected == 1; }));
  }
  /// What this peer may write to, as it may.
  Mapping view(Part part) const {
    const Descriptor section(::OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE,
                                                object_of(door.stem, part).c_str()));
    return Mapping::map(RingMemory::granularity + ring_bytes, Mapping::shared, section.get())
        .value();
  }
  std::error_code server_end() { return poll_until_error(door.server, door.at_server); }
};

}  // namespace

TEST_CASE("a client that names no rings is refused, and the next one let in",
          "[hostile][windows]") {
  MachDoor door;
  SECTION("nothing at all") {}
  SECTION("no events") {
    const auto up = RingMemory::create(object_of(door.stem, Part::up), ring_bytes, door.protection);
    const auto down =
        RingMemory::create(object_of(door.stem, Part::down), ring_bytes, door.protection);
    door.say_hello();
    CHECK(door.is_refused());
    CHECK(door.lets_honest_client_in());
    return;
  }
  door.make_events();
  door.say_hello();
  CHECK(door.is_refused());
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("sections that are no rings of this size are refused, untouched", "[hostile][windows]") {
  MachDoor door;
  door.make_events();
  const std::size_t right_size = RingMemory::granularity + ring_bytes;
  const auto [bytes, kind] =
      GENERATE_COPY(table<std::size_t, DWORD>({{4096, SEC_COMMIT},
                                               {right_size / 2, SEC_COMMIT},
                                               {right_size + 65536, SEC_COMMIT},
                                               {right_size, SEC_RESERVE}}));
  const auto up = section_of(door.stem, Part::up, bytes, kind);
  const auto down = section_of(door.stem, Part::down, bytes, kind);
  door.say_hello();
  CHECK(door.is_refused());
  CHECK(door.refusals.log->why.front() == Errc::bad_region);
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("a stem that is no name is refused", "[hostile][windows]") {
  MachDoor door;
  door.stem[0] = '\\';
  door.say_hello();
  CHECK(door.is_refused());
  CHECK(door.refusals.log->why.front() == Errc::malformed);
}

TEST_CASE("what is written over a link's pipe ends it", "[hostile][windows]") {
  MachPeer peer;
  std::byte one[1]{};
  const strait::windows::GatheredPart part{one, 1};
  REQUIRE(peer.door.pipe.write({&part, 1}));
  CHECK(peer.server_end() == Errc::malformed);
}

TEST_CASE("a header that no honest peer writes ends the link", "[hostile][windows]") {
  MachPeer peer;
  const std::uint64_t word =
      GENERATE(values<std::uint64_t>({1, 0x7fff'ffff, 0x8000'0000'ffff'ffff, UINT64_MAX}));
  std::memcpy(peer.view(Part::up).data() + RingMemory::granularity, &word, sizeof word);
  CHECK(peer.server_end() == Errc::malformed);
}

TEST_CASE("an index that is impossible ends the link, and nothing is written by it",
          "[hostile][windows]") {
  MachPeer peer;
  const std::uint64_t head =
      GENERATE(values<std::uint64_t>({8'000'000, 1'000'000'000, std::uint64_t{1} << 63}));
  std::memcpy(peer.view(Part::down).data(), &head, sizeof head);
  std::error_code told;
  for (int i = 0; i != 1000 && !told; ++i) told = peer.door.server.send(pattern(30'000)).error();
  if (told == Errc::queue_full) told = peer.server_end();
  CHECK(told == Errc::malformed);
}

TEST_CASE("a peer that rings all the time is heard, and no more", "[hostile][windows]") {
  MachPeer peer;
  for (int i = 0; i != 1000; ++i) {
    ::SetEvent(peer.door.events[0].get());
    CHECK(peer.door.server.wait(peer.door.at_server, 0ms).value() == 0);
  }
  peer.door.pipe.reset();
  CHECK(peer.server_end() == Errc::peer_closed);
}
