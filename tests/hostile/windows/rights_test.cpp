// Peers that lie about the handles that they send, and about those that they were sent. The numbers
// are those of this process, which plays the peer as well. The check around each test sees that no
// handle is left or missing.

#include <strait/os/windows/memory_file.hpp>
#include <strait/rights/windows/handle_transfer.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

#include "conformance/rights.hpp"
#include "hostile/windows/mach_peer.hpp"
#include "hostile/windows/pipe_peer.hpp"

using namespace strait_test;
using strait::windows::HandleLedger;
using strait::windows::HandleNumber;
using strait::windows::number_of;

namespace {

using Numbers = std::vector<HandleNumber>;

Bytes bytes_of(const Numbers& numbers) {
  Bytes bytes(numbers.size() * sizeof(HandleNumber));
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

/// What an honest sender shows with its first message with a right.
struct HonestSender {
  Descriptor section = strait::windows::create_memory_file("", sizeof(HandleLedger)).value();
  Descriptor event = strait::windows::make_event().value();
  Descriptor right = strait::windows::make_event().value();

  Numbers numbers() const { return numbers_with(number_of(right.get())); }
  Numbers numbers_with(HandleNumber of_right) const {
    return {number_of(section.get()), number_of(event.get()), of_right};
  }
};

/// A peer that writes records by hand.
struct OverRings {
  MachPeer<> peer{};
  strait::mach_ring::RingWriter out = peer.up.writer();

  void say(const Numbers& numbers, std::uint8_t rights) {
    const Bytes body = bytes_of(numbers);
    const strait::MessageHeader header{
        static_cast<std::uint32_t>(body.size()), 0,
        static_cast<std::uint8_t>(strait::detail::MessageKind::whole), rights};
    REQUIRE(out.post(header, [&](std::byte* room) {
      if (!body.empty()) std::memcpy(room, body.data(), body.size());
    }));
  }
  std::error_code end() { return peer.server_end(); }
  auto& link() { return peer.door.server; }
  Inbox& inbox() { return peer.door.at_server; }
  void leave() { peer.door.pipe.reset(); }
};

/// A peer that writes frames by hand.
struct OverPipe {
  RawPeer raw{};

  void say(const Numbers& numbers, std::uint8_t rights) {
    const auto size = static_cast<std::uint32_t>(numbers.size() * sizeof(HandleNumber));
    Bytes both = frame(size, 0, rights, bytes_of(numbers));
    const Bytes message = frame(0, 0, rights, {});
    both.insert(both.end(), message.begin(), message.end());
    write_raw(raw.peer, both);
  }
  std::error_code end() { return raw.server_end(); }
  auto& link() { return raw.door.server; }
  Inbox& inbox() { return raw.door.at_server; }
  void leave() { raw.peer.reset(); }
};

template <class Peer>
bool is_heard(Peer& peer, std::size_t count = 1) {
  return poll_until(peer.link(), peer.inbox(),
                    [&] { return peer.inbox().messages.size() == count; });
}

}  // namespace

TEMPLATE_TEST_CASE("rights by the rules arrive, also those of a peer that plays by hand",
                   "[hostile][windows][rights]", OverRings, OverPipe) {
  const HonestSender honest;
  TestType peer;
  peer.say(honest.numbers(), 1);
  CHECK(is_heard(peer));
  peer.say({number_of(honest.right.get())}, 1);
  CHECK(is_heard(peer, 2));
  peer.leave();
  CHECK(peer.end() == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("a number that stands for no handle of the peer's ends the channel",
                   "[hostile][windows][rights]", OverRings, OverPipe) {
  // Pseudo handles, which would be this process's own; none; what no table has, or not yet.
  const HandleNumber lie =
      GENERATE(0xffff'ffffu, 0xffff'fffeu, 0xffff'fffdu, 0xffff'fffcu, 0xffff'fffau, 0xffff'fff4u,
               0x8000'0000u, 0x8000'0004u, 0u, 1u, 6u, 0x7fff'fffcu, 0x00ff'fff0u);
  CAPTURE(lie);
  const HonestSender honest;
  TestType peer;
  Numbers numbers = honest.numbers();
  numbers[static_cast<std::size_t>(GENERATE(0, 1, 2))] = lie;
  peer.say(numbers, 1);
  CHECK(peer.end() == Errc::malformed);
  CHECK(peer.inbox().messages.empty());
}

TEMPLATE_TEST_CASE("of several rights none is left when one is a lie", "[hostile][windows][rights]",
                   OverRings, OverPipe) {
  const HonestSender honest;
  TestType peer;
  Numbers numbers = honest.numbers();
  for (int i = 0; i != 5; ++i) numbers.push_back(number_of(honest.section.get()));
  numbers.push_back(4 * 0xff'ffff);
  peer.say(numbers, 7);
  CHECK(peer.end() == Errc::malformed);
}

TEMPLATE_TEST_CASE("what is no ledger is refused, untouched", "[hostile][windows][rights]",
                   OverRings, OverPipe) {
  const HonestSender honest;
  TestType peer;
  Descriptor section;
  SECTION("an event") { section = strait::windows::make_event().value(); }
  SECTION("memory that is only reserved") {
    section.reset(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_RESERVE,
                                       0, 65'536, nullptr));
  }
  SECTION("memory that can't be written to") {
    section = strait::windows::duplicate(honest.section.get(), FILE_MAP_READ | SECTION_QUERY);
  }
  SECTION("memory that can't be asked for its size") {
    section = strait::windows::duplicate(honest.section.get(), FILE_MAP_READ | FILE_MAP_WRITE);
  }
  REQUIRE(section);
  peer.say({number_of(section.get()), number_of(honest.event.get()), number_of(honest.right.get())},
           1);
  CHECK(peer.end() == Errc::bad_region);
}

TEMPLATE_TEST_CASE("an event that is none harms only its sender", "[hostile][windows][rights]",
                   OverRings, OverPipe) {
  const HonestSender honest;
  TestType peer;
  Numbers numbers = honest.numbers();
  numbers[1] = number_of(honest.section.get());
  peer.say(numbers, 1);
  CHECK(is_heard(peer));
}

TEMPLATE_TEST_CASE("handles that their sender may have closed are not used",
                   "[hostile][windows][rights]", OverRings, OverPipe) {
  const HonestSender honest;
  const auto page = Mapping::map(sizeof(HandleLedger), Mapping::shared, honest.section.get());
  reinterpret_cast<HandleLedger*>(page->data())->revoked.store(1);
  TestType peer;
  peer.say(honest.numbers(), 1);
  CHECK(peer.end() == Errc::rights_lost);
  CHECK(peer.inbox().messages.empty());
}

TEMPLATE_TEST_CASE("fewer numbers than rights, or more, end the channel",
                   "[hostile][windows][rights]", OverPipe) {
  const HonestSender honest;
  TestType peer;
  Numbers numbers = honest.numbers();
  SECTION("none") { peer.say({}, 1); }
  SECTION("none but the ledger") { peer.say({numbers[0], numbers[1]}, 1); }
  SECTION("fewer") { peer.say(numbers, 2); }
  SECTION("more") {
    numbers.push_back(numbers.back());
    peer.say(numbers, 1);
  }
  SECTION("the ledger twice") {
    peer.say(numbers, 1);
    peer.say(numbers, 1);
  }
  CHECK(peer.end() == Errc::malformed);
}

TEST_CASE("a record too short for its rights ends the channel", "[hostile][windows][rights]") {
  const HonestSender honest;
  OverRings peer;
  const Numbers numbers = honest.numbers();
  const auto count = GENERATE(0, 1, 2);
  peer.say(Numbers(numbers.begin(), numbers.begin() + count), 1);
  CHECK(peer.end() == Errc::malformed);
}

TEST_CASE("a frame that does not keep what the one before it said ends the channel",
          "[hostile][windows][rights]") {
  const HonestSender honest;
  RawPeer raw;
  const Bytes numbers = bytes_of(honest.numbers());
  Bytes said = frame(12, 0, 1, numbers);
  const auto others = static_cast<std::uint8_t>(GENERATE(0, 2, 127));
  const Bytes message = frame(5, 0, others, pattern(5));
  said.insert(said.end(), message.begin(), message.end());
  write_raw(raw.peer, said);
  CHECK(raw.server_end() == Errc::malformed);
  CHECK(raw.door.at_server.messages.empty());
}

TEMPLATE_TEST_CASE("more rights than this end allows end the channel", "[hostile][windows][rights]",
                   OverRings, OverPipe) {
  const HonestSender honest;
  TestType peer;
  Numbers numbers = honest.numbers();
  for (int i = 0; i != 64; ++i) numbers.push_back(numbers.back());
  peer.say(numbers, 65);
  CHECK(peer.end() == Errc::too_many_rights);
}

TEST_CASE("a receiver that lies about what it has taken loses it, and no more",
          "[hostile][windows][rights]") {
  strait::windows::HandleSender sender;
  auto plain = plain_pipe();
  const HANDLE sent[] = {plain[1].get()};
  const auto numbers = sender.numbers_of(sent).value();
  REQUIRE(numbers.size() == 3);
  const Descriptor section =
      strait::windows::duplicate(reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(numbers[0])));
  const Descriptor event =
      strait::windows::duplicate(reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(numbers[1])));
  const auto page = Mapping::map(sizeof(HandleLedger), Mapping::shared, section.get());
  auto& ledger = *reinterpret_cast<HandleLedger*>(page->data());
  Rights rights;
  REQUIRE(rights.add(std::move(plain[1])));
  sender.keep(std::move(rights.list()));
  CHECK_FALSE(has_ended(plain[0]));
  ledger.taken.store(GENERATE(std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX));
  ::SetEvent(event.get());
  CHECK(repeat_until([&] { return has_ended(plain[0]); }));
  CHECK(ledger.revoked.load() == 0);
}

namespace {

/// A pipe's end that was sent to a peer, which plays the receiver by hand.
struct Sent {
  Sent() {
    const HANDLE sent[] = {plain[1].get()};
    const auto numbers = sender.numbers_of(sent).value();
    const Descriptor section = strait::windows::duplicate(
        reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(numbers[0])));
    page = Mapping::map(sizeof(HandleLedger), Mapping::shared, section.get()).value();
    Rights rights;
    REQUIRE(rights.add(std::move(plain[1])));
    sender.keep(std::move(rights.list()));
    auto pipes = strait::windows::pipe_pair().value();
    peers = PipeEnd::create(std::move(pipes[0])).value();
    end = PipeEnd::create(std::move(pipes[1])).value();
  }
  bool is_revoked() const {
    return reinterpret_cast<HandleLedger*>(page.data())->revoked.load() == 1;
  }

  strait::windows::HandleSender sender{};
  std::array<Descriptor, 2> plain = plain_pipe();
  Mapping page{};
  PipeEnd peers{};
  PipeEnd end{};
};

}  // namespace

TEST_CASE("handles that were not taken are called back before they are closed",
          "[hostile][windows][rights]") {
  Sent sent;
  sent.sender.leave(std::move(sent.end));
  // The peer has not taken them and is not gone: the end waits with them.
  CHECK_FALSE(has_ended(sent.plain[0]));
  CHECK_FALSE(sent.peers.readable());
  sent.peers.reset();
  CHECK(repeat_until([&] { return has_ended(sent.plain[0]); }));
  CHECK(sent.is_revoked());
}

TEST_CASE("a peer that takes nothing and goes on writing does not keep handles open for ever",
          "[hostile][windows][rights]") {
  Sent sent;
  sent.sender.leave(std::move(sent.end));
  std::array<std::byte, 1000> noise{};
  const GatheredPart part{noise.data(), noise.size()};
  CHECK(repeat_until([&] {
    static_cast<void>(sent.peers.write({&part, 1}));
    return has_ended(sent.plain[0]);
  }));
  CHECK(sent.is_revoked());
}
