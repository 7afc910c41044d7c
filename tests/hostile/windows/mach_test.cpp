// Peers that break the rules of a link over rings: what they name, what they write there and over
// the pipe.

#include <cstring>
#include <vector>

#include "hostile/windows/mach_peer.hpp"

using namespace strait_test;

namespace {

/// A section of that name, made in any way.
Descriptor section_of(const Stem& stem, Part part, std::size_t bytes, DWORD kind) {
  Descriptor made(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | kind, 0,
                                       static_cast<DWORD>(bytes), object_of(stem, part).c_str()));
  REQUIRE(made);
  return made;
}

}  // namespace

TEST_CASE("a client that names no rings is refused, and the next one let in",
          "[hostile][windows]") {
  MachDoor<> door;
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
  MachDoor<> door;
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
  MachDoor<> door;
  door.stem[0] = '\\';
  door.say_hello();
  CHECK(door.is_refused());
  CHECK(door.refusals.log->why.front() == Errc::malformed);
}

TEST_CASE("what is written over a link's pipe ends it", "[hostile][windows]") {
  MachPeer<> peer;
  std::byte one[1]{};
  const strait::windows::GatheredPart part{one, 1};
  REQUIRE(peer.door.pipe.write({&part, 1}));
  CHECK(peer.server_end() == Errc::malformed);
}

TEST_CASE("a header that no honest peer writes ends the link", "[hostile][windows]") {
  MachPeer<> peer;
  const std::uint64_t word =
      GENERATE(values<std::uint64_t>({1, 0x7fff'ffff, 0x8000'0000'ffff'ffff, UINT64_MAX}));
  std::memcpy(peer.view(Part::up).data() + RingMemory::granularity, &word, sizeof word);
  CHECK(peer.server_end() == Errc::malformed);
}

TEST_CASE("an index that is impossible ends the link, and nothing is written by it",
          "[hostile][windows]") {
  MachPeer<> peer;
  const std::uint64_t head =
      GENERATE(values<std::uint64_t>({8'000'000, 1'000'000'000, std::uint64_t{1} << 63}));
  std::memcpy(peer.view(Part::down).data(), &head, sizeof head);
  std::error_code told;
  for (int i = 0; i != 1000 && !told; ++i) told = peer.door.server.send(pattern(30'000)).error();
  if (told == Errc::queue_full) told = peer.server_end();
  CHECK(told == Errc::malformed);
}

TEST_CASE("a peer that rings all the time is heard, and no more", "[hostile][windows]") {
  MachPeer<> peer;
  for (int i = 0; i != 1000; ++i) {
    ::SetEvent(peer.door.events[0].get());
    CHECK(peer.door.server.wait(peer.door.at_server, 0ms).value() == 0);
  }
  peer.door.pipe.reset();
  CHECK(peer.server_end() == Errc::peer_closed);
}
