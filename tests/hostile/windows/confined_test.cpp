// Peers that lie about handles where only one side may open the other's process. A receiver that
// may not open its sender's is this process, which its access control list closes; the sender that
// plays by hand is this process, too, and so finds the inbox in its own table.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "conformance/rights.hpp"
#include "hostile/windows/mach_peer.hpp"
#include "hostile/windows/pipe_peer.hpp"
#include "strait/launch.hpp"
#include "support/process.hpp"
#include "support/windows/closed_process.hpp"

using namespace strait_test;
using strait::windows::handle_of;
using strait::windows::HandleInbox;
using strait::windows::HandleInboxWriter;
using strait::windows::HandleLedger;
using strait::windows::HandleNumber;
using strait::windows::HandleReceiver;
using strait::windows::HandleSender;
using strait::windows::inbox_page;
using strait::windows::InboxPage;
using strait::windows::number_of;
using strait::windows::PeerProcess;
using strait::windows::UnseenDescriptor;

namespace {

Descriptor event() { return strait::windows::make_event().value(); }

/// An inbox, and its page as a sender sees it that plays by hand.
struct OpenInbox {
  HandleInbox inbox = HandleInbox::create().value();
  Mapping view =
      Mapping::map(sizeof(InboxPage), Mapping::shared, handle_of(inbox.number())).value();

  InboxPage& page() { return inbox_page(view); }
  /// Puts in what is this process's already, behind what is there.
  void put(HandleNumber number) {
    const std::uint64_t count = page().put.load() / 2;
    page().numbers[count % InboxPage::capacity].store(number);
    page().put.store(2 * (count + 1));
  }
  /// The event that comes first.
  void introduce() { put(number_of(event().release())); }
};

/// This process, as one that may be opened.
PeerProcess self() {
  const auto pipes = strait::windows::pipe_pair().value();
  return PeerProcess::client_of(pipes[0].get(), strait::windows::effective_user());
}

}  // namespace

TEST_CASE("what is put into an inbox by the rules is taken, in order",
          "[hostile][windows][rights]") {
  HandleInbox inbox = HandleInbox::create().value();
  const Descriptor room = event();
  auto writer = HandleInboxWriter::open(self(), inbox.number(), room.get()).value();
  const Descriptor sent = event();
  // More than once around.
  for (std::size_t round = 0; round != 2 * InboxPage::capacity; round += 64) {
    const std::vector<HANDLE> handles(64, sent.get());
    ::ResetEvent(sent.get());
    REQUIRE(writer.put(handles));
    std::array<UnseenDescriptor, 64> taken;
    REQUIRE(inbox.take(taken));
    CHECK(strait::windows::is_set(room.get()));
    ::SetEvent(taken[63].get());
    CHECK(strait::windows::is_set(sent.get()));
  }
}

TEST_CASE("a number in an inbox that stands for no handle is refused",
          "[hostile][windows][rights]") {
  const HandleNumber lie =
      GENERATE(0xffff'ffffu, 0xffff'fffeu, 0xffff'fffdu, 0xffff'fffcu, 0xffff'fffau, 0xffff'fff4u,
               0x8000'0000u, 0x8000'0004u, 0u, 1u, 6u, 0x7fff'fffcu, 0x00ff'fff0u);
  CAPTURE(lie);
  OpenInbox open;
  std::array<UnseenDescriptor, 2> taken;
  SECTION("as a right") {
    open.introduce();
    open.put(number_of(event().release()));
    open.put(lie);
    CHECK(open.inbox.take(taken).error() == Errc::malformed);
  }
  SECTION("as the event") {
    open.put(lie);
    open.put(number_of(event().release()));
    open.put(number_of(event().release()));
    CHECK(open.inbox.take(taken).error() == Errc::malformed);
  }
  SECTION("that is not taken") {
    open.introduce();
    open.put(lie);
  }
}

TEST_CASE("counts in an inbox that can't be are refused", "[hostile][windows][rights]") {
  OpenInbox open;
  std::array<UnseenDescriptor, 2> taken;
  SECTION("fewer than there should be") {
    open.introduce();
    open.put(number_of(event().release()));
  }
  SECTION("none") {}
  SECTION("more than there are places") { open.page().put.store(2 * (InboxPage::capacity + 1)); }
  SECTION("all of them") { open.page().put.store(UINT64_MAX); }
  SECTION("less than was taken") {
    for (int i = 0; i != 5; ++i) i == 0 ? open.introduce() : open.put(number_of(event().release()));
    REQUIRE(open.inbox.take(taken));
    open.page().put.store(2);
  }
  CHECK(open.inbox.take(taken).error() == Errc::malformed);
}

TEST_CASE("an event of an inbox that is none harms only its sender", "[hostile][windows][rights]") {
  OpenInbox open;
  auto plain = plain_pipe();
  open.put(number_of(plain[1].release()));
  open.put(number_of(event().release()));
  std::array<UnseenDescriptor, 1> taken;
  CHECK(open.inbox.take(taken));
}

TEST_CASE("a receiver that lies about what it has taken harms no sender",
          "[hostile][windows][rights]") {
  OpenInbox open;
  const Descriptor room = event();
  auto writer = HandleInboxWriter::open(self(), open.inbox.number(), room.get()).value();
  const std::vector<HANDLE> handles(100, room.get());
  REQUIRE(writer.put(handles));
  // What is not counted is taken back, so that no handle is left.
  const std::uint64_t honest = open.page().put.exchange(12'345);
  CHECK(writer.put(handles).error() == Errc::peer_closed);
  open.page().put.store(honest);
  for (std::size_t put = 101; put + 100 <= InboxPage::capacity; put += 100) {
    REQUIRE(writer.put(handles));
  }
  CHECK(writer.put(handles).error() == Errc::would_block);
  open.page().taken.store(GENERATE(UINT64_MAX, std::uint64_t{InboxPage::capacity + 1}));
  CHECK(writer.put(handles).error() == Errc::would_block);
}

TEST_CASE("what is no inbox is refused, untouched", "[hostile][windows][rights]") {
  const Descriptor room = event();
  const auto open = [&](HANDLE section) {
    return HandleInboxWriter::open(self(), number_of(section), room.get()).error();
  };
  CHECK(open(room.get()) == Errc::bad_region);
  const Descriptor small = strait::windows::create_memory_file("", 4096).value();
  CHECK(open(small.get()) == Errc::bad_region);
  const Descriptor reserved(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr,
                                                 PAGE_READWRITE | SEC_RESERVE, 0, 65'536, nullptr));
  CHECK(open(reserved.get()) == Errc::bad_region);
  const Descriptor whole = strait::windows::create_memory_file("", sizeof(InboxPage)).value();
  const Descriptor readable =
      strait::windows::duplicate(whole.get(), FILE_MAP_READ | SECTION_QUERY);
  CHECK(open(readable.get()) == Errc::bad_region);
  for (const HandleNumber number : {0xffff'ffffu, 0xffff'fffeu, 1u, 0x00ff'fff0u}) {
    CHECK(HandleInboxWriter::open(self(), number, room.get()).error() == Errc::malformed);
  }
}

TEST_CASE("a process that can be opened is sent numbers, and one that can't none",
          "[hostile][windows][rights]") {
  auto receiver = HandleReceiver::create(self()).value();
  CHECK(receiver.inbox_number() == strait::windows::no_inbox);
  CHECK(receiver.numbers_for(1) == 3);
  auto confined = HandleReceiver::create(PeerProcess()).value();
  CHECK(confined.inbox_number() != strait::windows::no_inbox);
  CHECK(confined.numbers_for(1) == 0);
  const Descriptor room = event();
  auto refused = HandleSender::create(PeerProcess(), confined.inbox_number(), room.get()).value();
  const HANDLE handles[] = {room.get()};
  CHECK(refused.numbers_of(handles).error() == Errc::permission_denied);
}

// --- over the transports ------------------------------------------------------------------------

namespace {

/// A peer by hand of a server that can't open its process.
struct ConfinedOverPipe {
  ClosedProcess closed{};
  RawPeer raw{};
  HandleNumber inbox = 0;

  ConfinedOverPipe() {
    Bytes welcome;
    std::byte piece[256];
    REQUIRE(repeat_until([&] {
      const auto got = raw.peer.read(piece);
      if (got) welcome.insert(welcome.end(), piece, piece + *got);
      return got.has_value();
    }));
    std::memcpy(&inbox, welcome.data() + welcome.size() - sizeof inbox, sizeof inbox);
  }
  void say(std::uint8_t rights, const std::vector<HandleNumber>& numbers) {
    Bytes body(numbers.size() * sizeof(HandleNumber));
    if (!body.empty()) std::memcpy(body.data(), numbers.data(), body.size());
    Bytes both = frame(static_cast<std::uint32_t>(body.size()), 0, rights, body);
    const Bytes message = frame(0, 0, rights, {});
    both.insert(both.end(), message.begin(), message.end());
    write_raw(raw.peer, both);
  }
  auto& door() { return raw.door; }
};

struct ConfinedOverRings {
  ClosedProcess closed{};
  MachPeer<> peer{};
  strait::mach_ring::RingWriter out = peer.up.writer();
  HandleNumber inbox = 0;

  ConfinedOverRings() {
    REQUIRE(repeat_until([&] {
      const auto greeted = strait::windows_mach::read_greeting(peer.door.pipe, false);
      if (greeted) inbox = greeted->inbox;
      return greeted.has_value();
    }));
  }
  void say(std::uint8_t rights, const std::vector<HandleNumber>& numbers) {
    const auto size = static_cast<std::uint32_t>(numbers.size() * sizeof(HandleNumber));
    const strait::MessageHeader header{
        size, 0, static_cast<std::uint8_t>(strait::detail::MessageKind::whole), rights};
    REQUIRE(out.post(header, [&](std::byte* room) {
      if (size != 0) std::memcpy(room, numbers.data(), size);
    }));
  }
  auto& door() { return peer.door; }
};

template <class Peer>
Mapping page_of(Peer& peer) {
  REQUIRE(peer.inbox != 0);
  return Mapping::map(sizeof(InboxPage), Mapping::shared, handle_of(peer.inbox)).value();
}

void put(InboxPage& page, HandleNumber number) {
  const std::uint64_t count = page.put.load() / 2;
  page.numbers[count % InboxPage::capacity].store(number);
  page.put.store(2 * (count + 1));
}

}  // namespace

TEMPLATE_TEST_CASE("rights by the rules arrive at a side that may not open their sender",
                   "[hostile][windows][rights]", ConfinedOverPipe, ConfinedOverRings) {
  TestType peer;
  const Mapping view = page_of(peer);
  put(inbox_page(view), number_of(event().release()));
  put(inbox_page(view), number_of(event().release()));
  peer.say(1, {});
  CHECK(poll_until(peer.door().server, peer.door().at_server,
                   [&] { return peer.door().at_server.messages.size() == 1; }));
}

TEMPLATE_TEST_CASE("a side that may not open its peer takes nothing from numbers in a message",
                   "[hostile][windows][rights]", ConfinedOverPipe, ConfinedOverRings) {
  TestType peer;
  const Descriptor own = event();
  // With or without something in the inbox, and as a sender would name them that is asked.
  peer.say(1, GENERATE(false, true)
                  ? std::vector{number_of(own.get())}
                  : std::vector{number_of(own.get()), number_of(own.get()), number_of(own.get())});
  CHECK(poll_until_error(peer.door().server, peer.door().at_server) == Errc::malformed);
  CHECK(peer.door().at_server.messages.empty());
  DWORD flags = 0;
  CHECK(::GetHandleInformation(own.get(), &flags));
}

TEMPLATE_TEST_CASE("an inbox that holds less than was said, or lies, ends the channel",
                   "[hostile][windows][rights]", ConfinedOverPipe, ConfinedOverRings) {
  TestType peer;
  const Mapping view = page_of(peer);
  put(inbox_page(view), number_of(event().release()));
  put(inbox_page(view), number_of(event().release()));
  SECTION("less") {}
  SECTION("a pseudo handle") { put(inbox_page(view), 0xffff'ffffu); }
  SECTION("none") { put(inbox_page(view), 0x00ff'fff0u); }
  peer.say(2, {});
  CHECK(poll_until_error(peer.door().server, peer.door().at_server) == Errc::malformed);
  CHECK(peer.door().at_server.messages.empty());
}

TEST_CASE("a client whose inbox is none is turned away", "[hostile][windows][rights]") {
  Door door;
  auto peer = raw_client(door.name);
  const Descriptor other = event();
  HandleNumber lie = GENERATE(0xffff'ffffu, 1u, 0x00ff'fff0u, 0u);
  if (lie == 0) lie = number_of(other.get());
  write_raw(peer, hello_of(door.token, lie));
  std::byte piece[256];
  CHECK(repeat_until([&] {
    static_cast<void>(door.server.poll(door.at_server));
    return peer.read(piece).error() == Errc::peer_closed;
  }));
  CHECK(door.at_server.connected == 0);
  CHECK(door.lets_honest_client_in());
}

// --- a child that names what is its parent's ----------------------------------------------------

namespace {

const ChildRole namer_role("hostile.namer", [](const ChildArguments& arguments) {
  auto input = strait::os::take_standard_input();
  child::require(input.has_value(), "an input");
  const auto deadline = strait::detail::Deadline::after(long_enough);
  const auto line = strait::os::read_line(*input, 256, deadline);
  child::require(line.has_value(), "a line");
  const auto token = strait::Token::from_hex(line->substr(line->find(' ') + 1));
  child::require(token.has_value(), "a token");
  auto end = PipeEnd::create(std::move(*input));
  child::require(end.has_value(), "an end");
  // In the child, no handle has such a number.
  const auto number = static_cast<HandleNumber>(std::stoul(arguments.at(0)));
  const bool in_hello = arguments.at(1) == "inbox";
  write_raw(*end, hello_of(*token, in_hello ? number : 0));
  const Descriptor section = strait::windows::create_memory_file("", sizeof(HandleLedger)).value();
  const Descriptor ledger_event = event();
  const HandleNumber numbers[] = {number_of(section.get()), number_of(ledger_event.get()), number};
  Bytes body(sizeof numbers);
  std::memcpy(body.data(), numbers, sizeof numbers);
  write_raw(*end, frame(sizeof numbers, 0, 1, body));
  write_raw(*end, frame(0, 0, 1, {}));
  ::Sleep(INFINITE);
  return 0;
});

}  // namespace

TEST_CASE("a child that names a handle of its parent's gets nothing of it taken",
          "[hostile][windows][rights][launch]") {
  // Far beyond the handles that the child has.
  std::vector<Descriptor> many(2000);
  for (Descriptor& one : many) one = event();
  const HandleNumber number = number_of(many.back().get());
  const bool closed_too = GENERATE(false, true);
  std::optional<ClosedProcess> closed;
  if (closed_too) closed.emplace();
  const std::string place = GENERATE("inbox", "message");
  CAPTURE(closed_too, place);
  wchar_t path[MAX_PATH];
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  const std::string program(path, path + ::wcslen(path));
  auto launched = strait::launch<HostileLink, strait::Inherited>(
      program, {"--child", "hostile.namer", std::to_string(number), place}, {long_enough});
  if (place == "inbox") {
    CHECK(launched.error() == Errc::malformed);
    return;
  }
  REQUIRE(launched);
  RightsInbox inbox;
  CHECK(poll_until_error(launched->channel, inbox) == Errc::malformed);
  CHECK(inbox.rights.empty());
}
