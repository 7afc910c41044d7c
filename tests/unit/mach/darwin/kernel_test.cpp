// The kernel that speaks to Mach, before peers that break every rule, and before a Mach that says
// no where it may. That no right and no memory is left is seen to by the leak listener.

#include <strait/channel.hpp>
#include <strait/os/wait_set.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/raw_mach.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_mach.hpp"

using namespace strait_test;
using namespace std::chrono_literals;
using mach::Disposition;
using mach::Notification;
using strait::ChannelOptions;
using strait::Errc;
using strait::RawSerializer;
using strait::Token;
using strait::posix::Descriptor;

namespace {

using View = std::span<const std::byte>;
using Transport = strait::BasicMachTransport<ScriptedDarwin, strait::OolThreshold<10'000>>;
using Link = strait::Channel<Transport, RawSerializer>;

using WatchedLink = strait::Channel<Transport, RawSerializer, ChannelOptions{}, Refusals>;

const auto deaf = [](View) {};

strait::Rights two_files() {
  strait::Rights rights;
  for (int i = 0; i != 2; ++i) {
    REQUIRE(rights.add(strait::posix::open("/dev/zero", O_RDONLY).value()));
  }
  return rights;
}

/// Two ends, and the rights that came to the server's.
struct ConnectedLinks {
  ConnectedLinks() {
    REQUIRE(server.poll(deaf));
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
  }
  void operator()(View, strait::Rights rights) { received.push_back(std::move(rights)); }

  std::string name = unique_name("files");
  Token token = Token::generate().value();
  Link server = Link::listen(name, token).value();
  Link client = Link::connect(name, token).value();
  std::vector<strait::Rights> received{};
};

View text() {
  static const std::string letters =
      "some seventy bytes that are the same whoever sends them, and no more";
  return std::as_bytes(std::span(letters));
}

OwnedSend look_up(const std::string& name) {
  mach::PortName port = 0;
  REQUIRE(ScriptedTraps::look_up(("strait." + name).c_str(), port) == mach::success);
  return OwnedSend(port);
}

struct Door {
  std::string name = unique_name("door");
  Token token = Token::generate().value();
  WatchedLink server = WatchedLink::listen(name, token).value();
  OwnedSend port = look_up(name);

  strait::detail::HandshakeBytes hello() const {
    return strait::detail::HandshakeBytes(
        strait::detail::encode_hello(RawSerializer::schema_hash, token,
                                     strait::detail::wire_options_of<Transport>())
            .bytes());
  }
  void let_the_right_one_in() {
    auto client = Link::connect(name, token).value();
    REQUIRE(server.poll(deaf));
    REQUIRE_FALSE(server.waiting_connect());
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
    REQUIRE(client.send(text()));
    CHECK(server.poll(deaf).value() == 1);
  }
};

/// A client that writes its messages by hand and has been let in.
struct RawClient {
  RawClient() {
    REQUIRE(RawMessage(door.port.name()).right(in.name()).body(0, door.hello().bytes()).send() ==
            mach::success);
    in.send = OwnedSend();
    REQUIRE(door.server.poll(deaf));
    REQUIRE_FALSE(door.server.waiting_connect());
    const auto received = in.next();
    out = OwnedSend(only_right(received));
  }

  RawMessage message() const { return RawMessage(out.name()); }
  /// What the server says after this.
  std::error_code verdict() {
    const auto error = door.server.poll(deaf).error();
    if (error) CHECK(door.server.poll(deaf).error() == error);
    return error;
  }

  Door door{};
  RawPort in{};
  OwnedSend out{};
};

/// A server that writes its messages by hand, and a client that has said Hello to it.
template <class ClientLink = Link>
struct RawServer {
  RawServer() {
    mach::PortName port = 0;
    REQUIRE(ScriptedTraps::check_in(("strait." + name).c_str(), port) == mach::success);
    names = OwnedReceive(port);
    client.emplace(ClientLink::connect(name, Token::generate().value()).value());
    std::vector<std::byte> hello(4096);
    REQUIRE(ScriptedTraps::message(hello.data(),
                                   mach::option::receive | mach::option::receive_timeout, 0, 4096,
                                   port, 0) == mach::success);
    reply = OwnedSend(only_right(hello));
  }

  RawMessage answer() const { return RawMessage(reply.name()); }
  RawMessage good_welcome() {
    const auto bytes = strait::detail::encode_welcome({});
    return answer().right(in.name()).body(welcome, bytes.bytes());
  }
  std::error_code verdict() { return client->poll(deaf).error(); }

  std::string name = unique_name("hostile");
  OwnedReceive names{};
  RawPort in{};
  std::optional<ClientLink> client{};
  OwnedSend reply{};
};

struct Connected {
  Connected() {
    REQUIRE(server.poll(deaf));
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
  }
  std::string name = unique_name("pair");
  Token token = Token::generate().value();
  Link server = Link::listen(name, token).value();
  Link client = Link::connect(name, token).value();
};

std::vector<std::byte> block(std::size_t size, std::uint8_t seed = 1) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i != size; ++i) bytes[i] = std::byte((i * 7 + seed) & 0xff);
  return bytes;
}

mach::Region<ScriptedTraps> region_of(std::size_t size) {
  return mach::Region<ScriptedTraps>::copy_of(block(size)).value();
}

}  // namespace

// --- the door

TEST_CASE("a Hello that is none is refused as malformed and keeps nobody out",
          "[darwin][hostile]") {
  Door door;
  RawPort in;
  RawMessage hello(door.port.name());
  const auto good = door.hello();
  const auto memory = region_of(5000);
  SECTION("nothing at all") {}
  SECTION("no right") { hello.body(0, good.bytes()); }
  SECTION("a null right") { hello.right(mach::null_port).body(0, good.bytes()); }
  SECTION("a send-once right") {
    hello.right(in.name(), Disposition::make_send_once).body(0, good.bytes());
  }
  SECTION("two rights") { hello.right(in.name()).right(in.name()).body(0, good.bytes()); }
  SECTION("a right to reply instead") {
    hello.reply(in.name(), Disposition::make_send).body(0, good.bytes());
  }
  SECTION("memory instead of a right") { hello.add(memory.descriptor()).body(0, good.bytes()); }
  SECTION("a length that is not there") {
    hello.right(in.name())
        .append(strait::MessageHeader{1 << 20, 0, 0, 0})
        .append_bytes(good.bytes());
  }
  SECTION("more than a Hello can be") {
    hello.right(in.name()).body(0, std::vector<std::byte>(129));
  }
  SECTION("of many megabytes") { hello.right(in.name()).body(0, std::vector<std::byte>(4 << 20)); }
  SECTION("a number of the kernel") {
    hello = RawMessage(door.port.name(), static_cast<std::int32_t>(Notification::no_senders));
    hello.right(in.name()).body(0, good.bytes());
  }
  REQUIRE(hello.send() == mach::success);
  CHECK(door.server.poll(deaf).value() == 0);
  REQUIRE_FALSE(door.server.observer().seen.empty());
  CHECK(door.server.observer().seen[0].why == Errc::malformed);
  door.let_the_right_one_in();
}

TEST_CASE("a receive right in a Hello is destroyed", "[darwin][hostile]") {
  Door door;
  mach::PortName in = 0;
  REQUIRE(ScriptedTraps::construct_port(5, in) == mach::success);
  REQUIRE(RawMessage(door.port.name())
              .right(in, Disposition::move_receive)
              .body(0, door.hello().bytes())
              .send() == mach::success);
  CHECK(door.server.poll(deaf).value() == 0);
  CHECK(door.server.observer().seen.at(0).why == Errc::malformed);
  door.let_the_right_one_in();
}

TEST_CASE("a right to a kernel's object is never sent to", "[darwin][hostile]") {
  Door door;
  const OwnedSend semaphore(MachScript::kernel_object(15));
  REQUIRE(
      RawMessage(door.port.name()).right(semaphore.name()).body(0, door.hello().bytes()).send() ==
      mach::success);
  CHECK(door.server.poll(deaf).value() == 0);
  CHECK(door.server.observer().seen.at(0).why == Errc::malformed);
  door.let_the_right_one_in();

  // A wrong Hello gets an answer, but not there.
  Door other;
  REQUIRE(RawMessage(other.port.name()).right(semaphore.name()).body(0, text()).send() ==
          mach::success);
  CHECK(other.server.poll(deaf).value() == 0);
  CHECK(other.server.observer().seen.size() == 1);
}

TEST_CASE("who is gone before the answer does not hold up the next", "[darwin]") {
  Door door;
  {
    RawPort in;
    REQUIRE(RawMessage(door.port.name()).right(in.name()).body(0, door.hello().bytes()).send() ==
            mach::success);
  }
  CHECK(door.server.poll(deaf).value() == 0);
  CHECK(door.server.observer().seen.at(0).why == Errc::peer_closed);
  door.let_the_right_one_in();
}

TEST_CASE("a right is looked at before it is used", "[darwin][hostile]") {
  using SendRight = ScriptedDarwin::SendRight;
  CHECK(SendRight::adopt(OwnedSend(mach::null_port)).error() == Errc::malformed);
  CHECK(SendRight::adopt(OwnedSend(mach::dead_port)).error() == Errc::peer_closed);
  CHECK(SendRight::adopt(OwnedSend(MachScript::kernel_object(1))).error() == Errc::malformed);
  const auto dies_after_it_arrived = [] {
    RawPort port;
    OwnedSend right = std::move(port.send);
    port.receive = OwnedReceive();
    return SendRight::adopt(std::move(right)).error();
  };
  CHECK(dies_after_it_arrived() == Errc::peer_closed);
  MachScript::old_dead_names(true);
  CHECK(dies_after_it_arrived() == Errc::peer_closed);
  MachScript::old_dead_names(false);
  CHECK(SendRight().reserve(1).error() == Errc::peer_closed);
}

TEST_CASE("a client is who the kernel says that sent its Hello", "[darwin][credentials]") {
  Door door;
  RawPort in;
  {
    mach::AuditToken stranger = other_task();
    ++stranger.values[1];
    const AsTask as_stranger(stranger);
    REQUIRE(RawMessage(door.port.name()).right(in.name()).body(0, door.hello().bytes()).send() ==
            mach::success);
  }
  CHECK(door.server.poll(deaf).value() == 0);
  REQUIRE(door.server.observer().seen.size() == 1);
  CHECK(door.server.observer().seen[0].why == Errc::permission_denied);
  CHECK(door.server.observer().seen[0].who.uid == ::geteuid() + 1);
  CHECK(door.server.observer().seen[0].who.pid == 4242);
  CHECK(in.next().empty());
  door.let_the_right_one_in();
}

// --- a client that was let in

TEST_CASE("messages written by hand are understood", "[darwin]") {
  RawClient client;
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  std::size_t got = 0;
  CHECK(client.door.server.poll([&](View bytes) { got = bytes.size(); }).value() == 1);
  CHECK(got == text().size());
  REQUIRE(client.door.server.send(text()));
  CHECK(mach::parse(mach::message_of(client.in.next()))->header.bytes == text().size());
}

TEST_CASE("a message of anybody but the one who said Hello ends the channel", "[darwin][hostile]") {
  RawClient client;
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  mach::AuditToken token = own_task();
  SECTION("another process") { token = other_task(); }
  SECTION("a later life of the same process") { ++token.values[7]; }
  {
    const AsTask as_other(token);
    REQUIRE(client.message().body(whole, text()).send() == mach::success);
  }
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  int heard = 0;
  CHECK(client.door.server.poll([&](View) { ++heard; }).value() == 1);
  CHECK(client.verdict() == Errc::malformed);
  CHECK(heard == 1);
}

TEST_CASE("a peer that changes its user, its group or its session stays the same one",
          "[darwin][credentials]") {
  RawClient client;
  mach::AuditToken token = own_task();
  const std::size_t changed = GENERATE(0u, 1u, 2u, 3u, 4u, 6u);
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  ++token.values[changed];
  {
    const AsTask as_other_user(token);
    REQUIRE(client.message().body(whole, text()).send() == mach::success);
  }
  CHECK(client.door.server.poll(deaf).value() == 2);
  CHECK_FALSE(client.verdict());
}

TEST_CASE("a Hello of one process does not open the door for another", "[darwin][hostile]") {
  Door door;
  RawPort in;
  {
    const AsTask as_first(other_task());
    REQUIRE(RawMessage(door.port.name()).right(in.name()).body(0, door.hello().bytes()).send() ==
            mach::success);
  }
  REQUIRE(door.server.poll(deaf));
  REQUIRE_FALSE(door.server.waiting_connect());
  CHECK(door.server.peer().credentials.pid == 4242);
  const OwnedSend out(only_right(in.next()));
  REQUIRE(RawMessage(out.name()).body(whole, text()).send() == mach::success);
  CHECK(door.server.poll(deaf).error() == Errc::malformed);
}

TEST_CASE("only the kernel can say that there are no senders", "[darwin][hostile]") {
  RawClient client;
  const auto forged =
      GENERATE(Notification::no_senders, Notification::dead_name, Notification::send_possible,
               Notification::port_deleted, Notification::send_once);
  RawMessage message(client.out.name(), static_cast<std::int32_t>(forged));
  message.append(std::uint64_t{0}).append(std::uint32_t{0x1003});
  REQUIRE(message.send() == mach::success);
  CHECK(client.verdict() == Errc::malformed);
}

TEST_CASE("the end is told when the last sender is gone, behind all that was sent", "[darwin]") {
  RawClient client;
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  client.out = OwnedSend();
  CHECK(client.door.server.poll(deaf).value() == 1);
  CHECK(client.verdict() == Errc::peer_closed);
}

TEST_CASE("rights and memory that nobody asked for are given back", "[darwin][hostile]") {
  RawClient client;
  RawPort extra;
  auto memory = region_of(9000);
  RawMessage message = client.message();
  SECTION("a right") { message.right(extra.name()); }
  SECTION("many rights") {
    for (int i = 0; i != 500; ++i) message.right(extra.name());
  }
  SECTION("a send-once right") { message.right(extra.name(), Disposition::make_send_once); }
  SECTION("memory") { message.add(memory.descriptor()); }
  SECTION("memory that was copied at once, which asks nobody to free it") {
    auto descriptor = memory.descriptor();
    descriptor.copy = mach::Copy::physical;
    message.add(descriptor);
  }
  SECTION("such memory, and a right") {
    auto descriptor = memory.descriptor();
    descriptor.copy = mach::Copy::physical;
    message.add(descriptor).right(extra.name());
  }
  SECTION("memory of no size") { message.add(mach::copy_of_memory(nullptr, 0)); }
  SECTION("rights and memory") { message.right(extra.name()).add(memory.descriptor()); }
  SECTION("rights in memory") {
    std::uint64_t address = 0;
    REQUIRE(ScriptedTraps::allocate_memory(12, address) == mach::success);
    const mach::OwnedMemory<ScriptedTraps> names(address, 12);
    for (std::size_t i = 0; i != 3; ++i) mach::write_at(names.data(), 4 * i, extra.name());
    message.add(mach::PortsDescriptor{address, 0, mach::Copy::virtual_copy, Disposition::copy_send,
                                      mach::DescriptorType::ports, 3});
    REQUIRE(message.body(whole, text()).send() == mach::success);
    CHECK(client.verdict() == Errc::malformed);
    return;
  }
  SECTION("a right to reply") { message.reply(extra.name()); }
  REQUIRE(message.body(whole, text()).send() == mach::success);
  CHECK(client.verdict() == Errc::malformed);
}

TEST_CASE("rights in messages that are never read are given back", "[darwin][hostile]") {
  RawClient client;
  RawPort extra;
  for (int i = 0; i != 3; ++i) {
    REQUIRE(client.message().right(extra.name()).body(region, text()).send() == mach::success);
  }
}

TEST_CASE("a message that no queue of ours would send ends the channel", "[darwin][hostile]") {
  RawClient client;
  SECTION("too large") {
    REQUIRE(client.message().body(whole, std::vector<std::byte>(70'000)).send() == mach::success);
  }
  SECTION("shorter than it says") {
    REQUIRE(client.message().append(strait::MessageHeader{5, 0, whole, 0}).send() == mach::success);
  }
  SECTION("with nothing in it") { REQUIRE(client.message().send() == mach::success); }
  SECTION("of another kind of program") {
    REQUIRE(RawMessage(client.out.name(), 12'345).body(whole, text()).send() == mach::success);
  }
  CHECK(client.verdict() == Errc::malformed);
}

TEST_CASE("a region is what it is said to be, or the channel ends", "[darwin][hostile]") {
  RawClient client;
  const auto send = [&](std::uint64_t said, const auto&... descriptor) {
    RawMessage message = client.message();
    (message.add(descriptor), ...);
    const strait::detail::OolReference note{said};
    REQUIRE(message.body(region, note.bytes_of()).send() == mach::success);
  };
  const auto memory = region_of(20'000);
  SECTION("as long as it is said to be") {
    send(20'000, memory.descriptor());
    std::vector<std::byte> got;
    CHECK(client.door.server.poll([&](View bytes) { got.assign(bytes.begin(), bytes.end()); })
              .value() == 1);
    CHECK(got == block(20'000));
    CHECK_FALSE(client.verdict());
  }
  SECTION("copied at once by who sent it") {
    auto descriptor = memory.descriptor();
    descriptor.copy = mach::Copy::physical;
    send(20'000, descriptor);
    CHECK(client.door.server.poll(deaf).value() == 1);
  }
  SECTION("longer than said") {
    send(7, memory.descriptor());
    std::size_t got = 0;
    CHECK(client.door.server.poll([&](View bytes) { got = bytes.size(); }).value() == 1);
    CHECK(got == 7);
  }
  SECTION("shorter than said") {
    send(20'001, memory.descriptor());
    CHECK(client.verdict() == Errc::bad_region);
  }
  SECTION("from the middle of a page, where nothing can be read as it lies") {
    auto descriptor = memory.descriptor();
    descriptor.address += 8;
    descriptor.size -= 8;
    send(descriptor.size, descriptor);
    CHECK(client.verdict() == Errc::bad_region);
  }
  SECTION("from the middle of a page, but so small that the kernel of a Mac with arm64 copies it") {
    MachScript::copies_up_to(32 << 10);
    auto descriptor = memory.descriptor();
    descriptor.address += 8;
    descriptor.size -= 8;
    send(descriptor.size, descriptor);
    MachScript::copies_up_to(16 << 10);
    CHECK(client.door.server.poll(deaf).value() == 1);
    CHECK_FALSE(client.verdict());
  }
  SECTION("not there") {
    send(20'000);
    CHECK(client.verdict() == Errc::malformed);
  }
  SECTION("a right") {
    send(20'000, mach::copy_of_right(client.out.name()));
    CHECK(client.verdict() == Errc::malformed);
  }
  SECTION("larger than any message may be") {
    send(std::uint64_t{1} << 40, memory.descriptor());
    CHECK(client.verdict() == Errc::message_too_large);
  }
}

// --- a parent and its child

namespace {

static_assert(strait::Inheritable<Transport>);

/// What a parent has, and what its child inherits. Here they are one process.
struct Family {
  Family() {
    auto ends = ScriptedDarwin::connected_pair().value();
    parent = std::move(ends[0]);
    child = std::move(ends[1]);
  }
  strait::Result<ScriptedDarwin::ServicePort> check_in(std::int32_t process = ::getpid()) {
    return ScriptedDarwin::check_in(std::move(parent), {::geteuid(), ::getegid(), process},
                                    {1, std::chrono::seconds{1}});
  }
  strait::Result<ScriptedDarwin::ServiceRight> look_up() {
    return ScriptedDarwin::look_up(std::move(child));
  }

  Descriptor parent, child;
};

std::error_code say_hello(ScriptedDarwin::ServiceRight& right) {
  auto in = ScriptedDarwin::allocate(16 << 10).value();
  const auto reply = in.make_send_right();
  return right.send(text(), reply).error();
}

bool is_readable(const ScriptedDarwin::ServicePort& port) {
  pollfd entry = port.interest();
  return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a parent and its child meet under a name that only their socket tells",
          "[darwin][launch]") {
  Family family;
  CHECK(family.look_up().error() == Errc::would_block);
  REQUIRE(family.child);
  auto port = family.check_in().value();
  CHECK(port.receive().error() == Errc::empty);
  CHECK_FALSE(is_readable(port));
  std::optional right = family.look_up().value();
  CHECK_FALSE(family.child);
  REQUIRE_FALSE(say_hello(*right));
  right.reset();
  // What it had sent before its end comes before that.
  CHECK(is_readable(port));
  const auto request = port.receive().value();
  CHECK_FALSE(request.failure);
  CHECK(request.credentials.pid == ::getpid());
  CHECK(std::ranges::equal(request.body.bytes(), text()));
  CHECK(is_readable(port));
  CHECK(port.receive().error() == Errc::peer_closed);
  CHECK(port.receive().error() == Errc::peer_closed);
}

TEST_CASE("a child that ends without a word is told at once", "[darwin][launch]") {
  Family family;
  auto port = family.check_in().value();
  SECTION("before it has looked the name up") { family.child.reset(); }
  SECTION("after that") { static_cast<void>(family.look_up().value()); }
  CHECK(is_readable(port));
  CHECK(port.receive().error() == Errc::peer_closed);
}

TEST_CASE("a child that is gone before the name is told is peer_closed, and so is a parent",
          "[darwin][launch]") {
  Family family;
  SECTION("the child") {
    family.child.reset();
    CHECK(family.check_in().error() == Errc::peer_closed);
  }
  SECTION("the parent, before it told") {
    family.parent.reset();
    CHECK(family.look_up().error() == Errc::peer_closed);
  }
  SECTION("the parent, after that") {
    static_cast<void>(family.check_in().value());
    CHECK(family.look_up().error() == Errc::not_found);
    CHECK(family.child);
  }
}

TEST_CASE("nobody but the child is let in, whoever has found the name",
          "[darwin][launch][hostile]") {
  Family family;
  auto port = family.check_in().value();
  const auto name = mach::PrivateName::told(family.child.get()).value();
  auto stolen = mach::ServiceRight<ScriptedTraps>::look_up(name.service("strait.").value()).value();
  {
    const AsTask stranger(other_task());
    REQUIRE_FALSE(say_hello(stolen));
  }
  const auto refused = port.receive().value();
  CHECK(refused.failure == Errc::permission_denied);
  CHECK(refused.credentials.pid == other_task().process());
  auto right = family.look_up().value();
  REQUIRE_FALSE(say_hello(right));
  CHECK_FALSE(port.receive()->failure);
}

TEST_CASE("what is no name is not looked up, and the socket stays", "[darwin][launch][hostile]") {
  Family family;
  const std::string told =
      GENERATE(std::string(32, 'g'), std::string(31, 'a') + '\0', std::string(31, '0'),
               std::string(200, '.'), std::string("0123456789abcdef0123456789abcdeF"));
  REQUIRE(strait::posix::send_packet(family.parent.get(), std::as_bytes(std::span(told))));
  const bool more_may_come = told.size() < 32;
  CHECK(family.look_up().error() == (more_may_come ? Errc::would_block : Errc::malformed));
  CHECK(family.child);
}

TEST_CASE("without means for it a parent claims no name", "[darwin][launch]") {
  Family family;
  MachScript::fail_events(1);
  CHECK(family.check_in().error() == std::errc::too_many_files_open);
}

// --- descriptors that go quiet

namespace {
bool is_readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}
}  // namespace

TEST_CASE("a port that was received empty is not readable any more", "[darwin]") {
  auto in = ScriptedDarwin::allocate(16 << 10).value();
  auto out = ScriptedDarwin::SendRight::adopt(in.make_send_right()).value();
  const auto send = [&] {
    **out.reserve(1) = std::byte{1};
    REQUIRE(out.stage({1, 0, whole, 0}));
  };
  const int handle = in.interest().fd;
  CHECK_FALSE(is_readable(handle));
  for (int i = 0; i != 2; ++i) {
    send();
    send();
    for (int k = 0; k != 2; ++k) {
      CHECK(is_readable(handle));
      in.pop(in.peek().value());
    }
    CHECK(in.peek().error() == Errc::empty);
    CHECK_FALSE(is_readable(handle));
    // Nothing has come since: one call finds that out.
    const std::size_t calls = MachScript::calls();
    CHECK_FALSE(in.readable());
    CHECK(MachScript::calls() - calls == 1);
  }
}

TEST_CASE("a name at which nobody knocks any more is not readable", "[darwin]") {
  const auto name = unique_name("knocked");
  auto port = ScriptedDarwin::check_in(name, {1, std::chrono::seconds{1}}).value();
  auto right = ScriptedDarwin::look_up(name).value();
  REQUIRE_FALSE(say_hello(right));
  CHECK(is_readable(port));
  CHECK(port.receive());
  CHECK(port.receive().error() == Errc::empty);
  CHECK_FALSE(is_readable(port));
}

TEST_CASE("the answer that there is room is read once", "[darwin]") {
  RawPort port(1);
  mach::SendPossibleRequest<ScriptedTraps> request;
  for (int i = 0; i != 2; ++i) {
    REQUIRE(RawMessage(port.name()).send() == mach::success);
    REQUIRE(request.ask(port.name()));
    CHECK_FALSE(is_readable(request.native_handle()));
    destroy(port.next());
    CHECK(is_readable(request.native_handle()));
    CHECK(request.take() == mach::SendPossibleRequest<ScriptedTraps>::Answer::room);
    CHECK_FALSE(is_readable(request.native_handle()));
  }
  // Of a port that ends after the answer no name is left.
  port.receive = OwnedReceive();
}

TEST_CASE("a port that ends between the answer and its reader leaves no name", "[darwin]") {
  RawPort port(1);
  mach::SendPossibleRequest<ScriptedTraps> request;
  REQUIRE(RawMessage(port.name()).send() == mach::success);
  REQUIRE(request.ask(port.name()));
  destroy(port.next());
  port.receive = OwnedReceive();
  SECTION("which hears of the end") {
    CHECK(request.take() == mach::SendPossibleRequest<ScriptedTraps>::Answer::gone);
  }
  SECTION("which never comes") {}
}

TEST_CASE("a request for room that failed leaves no answer for the next one", "[darwin]") {
  using Answer = mach::SendPossibleRequest<ScriptedTraps>::Answer;
  RawPort port(1);
  mach::SendPossibleRequest<ScriptedTraps> request;
  REQUIRE(RawMessage(port.name()).send() == mach::success);
  MachScript::fail_notification_requests(1);
  CHECK_FALSE(request.ask(port.name()));
  CHECK_FALSE(request.pending());
  CHECK_FALSE(is_readable(request.native_handle()));
  REQUIRE(request.ask(port.name()));
  CHECK(request.take() == Answer::none);
  destroy(port.next());
  CHECK(request.take() == Answer::room);
}

TEST_CASE("a request for room stands also in the place of one that is nobody's any more",
          "[darwin]") {
  RawPort port(1);
  mach::SendPossibleRequest<ScriptedTraps> request;
  REQUIRE(RawMessage(port.name()).send() == mach::success);
  {
    RawPort gone;
    mach::PortName previous = 0;
    REQUIRE(ScriptedTraps::request_notification(port.name(), Notification::send_possible, 1,
                                                gone.name(), previous) == mach::success);
  }
  CHECK(request.ask(port.name()));
  CHECK(request.pending());
  destroy(port.next());
  CHECK(request.take() == mach::SendPossibleRequest<ScriptedTraps>::Answer::room);
}

TEST_CASE("two rights to one port that wait for room do not take it from each other for ever",
          "[darwin]") {
  RawPort port(1);
  mach::SendPossibleRequest<ScriptedTraps> first;
  mach::SendPossibleRequest<ScriptedTraps> second;
  using Answer = mach::SendPossibleRequest<ScriptedTraps>::Answer;
  REQUIRE(RawMessage(port.name()).send() == mach::success);
  REQUIRE(first.ask(port.name()));
  REQUIRE(second.ask(port.name()));
  // It is told that it has lost its own, and leaves the other one's alone.
  CHECK(first.take() == Answer::room);
  CHECK(second.take() == Answer::none);
  destroy(port.next());
  CHECK(second.take() == Answer::room);
}

// --- files as rights

TEST_CASE("files travel as rights, as soon as the kernel has memory for them", "[darwin][rights]") {
  ConnectedLinks links;
  SECTION("the first time") {}
  SECTION("when there was none for a right") {
    MachScript::fail_fileports(3);  // also as it is asked whether they can travel
  }
  SECTION("when there was none for the message") {
    MachScript::fail_send(mach::send::no_buffer, false, 2);
  }
  SECTION("when the port was full, and all was given back") {
    MachScript::fail_send(mach::send::timed_out, true);
  }
  REQUIRE(links.client.send(text(), two_files()));
  for (int i = 0; i != 1000 && links.received.empty(); ++i) {
    REQUIRE(links.client.poll(deaf));
    REQUIRE(links.server.poll(links));
  }
  REQUIRE(links.received.size() == 1);
  strait::Rights& rights = links.received.front();
  REQUIRE(rights.size() == 2);
  for (int i = 0; i != 2; ++i) {
    const auto file = rights.take<Descriptor>().value();
    CHECK(::fcntl(file.get(), F_GETFD) == FD_CLOEXEC);
    char byte = 0;
    CHECK(::read(file.get(), &byte, 1) == 1);
  }
}

TEST_CASE("a queue of events can't travel, and stays with its owner", "[darwin][rights]") {
  ConnectedLinks links;
  auto rights = two_files();
  REQUIRE(rights.add(Descriptor(::dup(strait::posix::WaitSet::create()->native_handle()))));
  CHECK(links.client.send(text(), std::move(rights)).error() == Errc::unsupported);
  CHECK(rights.size() == 3);
  REQUIRE(links.client.send(text()));
  CHECK(links.server.poll(deaf).value() == 1);
}

TEST_CASE("without room for a file that came the message is not given, and the channel ends",
          "[darwin][rights]") {
  ConnectedLinks links;
  REQUIRE(links.client.send(text(), two_files()));
  MachScript::fail_descriptors(1);
  CHECK(links.server.poll(links).error() == Errc::rights_lost);
  CHECK(links.received.empty());
}

TEST_CASE("a right that is to no file is none, and all that came is given back",
          "[darwin][rights][hostile]") {
  RawClient client;
  RawMessage message = client.message();
  const Descriptor device = strait::posix::open("/dev/null", O_RDONLY).value();
  const OwnedSend file(ScriptedTraps::make_fileport(device.get()).value());
  const OwnedSend object(MachScript::kernel_object(2));
  RawPort port;
  std::optional<RawPort> dying(std::in_place);
  auto kind = whole;
  message.right(file.name());
  SECTION("a port of messages") { message.right(port.name()); }
  SECTION("an object of the kernel") { message.right(object.name()); }
  SECTION("dead") { message.right(dying->name()); }
  SECTION("null") { message.right(mach::null_port); }
  SECTION("a right to receive") {
    mach::PortName moved = 0;
    REQUIRE(ScriptedTraps::construct_port(1, moved) == mach::success);
    message.right(moved, Disposition::move_receive);
  }
  SECTION("where memory should be") { kind = region; }
  SECTION("in the middle of a message") {
    REQUIRE(client.message().body(fragment, text()).send() == mach::success);
  }
  SECTION("more than any message has") {
    for (int i = 0; i != 127; ++i) message.right(file.name());
  }
  SECTION("more than the channel allows") {
    for (int i = 0; i != 126; ++i) message.right(file.name());
    REQUIRE(message.body(whole, text()).send() == mach::success);
    CHECK(client.verdict() == Errc::too_many_rights);
    return;
  }
  REQUIRE(message.body(kind, text()).send() == mach::success);
  dying.reset();
  CHECK(client.verdict() == Errc::malformed);
}

// --- a server that is none

TEST_CASE("a welcome written by hand is one, from whom the kernel says", "[darwin]") {
  RawServer server;
  {
    const AsTask as_server(other_task(77));
    REQUIRE(server.good_welcome().send() == mach::success);
    REQUIRE(server.answer().body(whole, text()).send() == mach::success);
  }
  CHECK(server.client->poll(deaf).value() == 1);
  CHECK(server.client->peer().credentials.pid == 77);
  REQUIRE(server.client->send(text()));
  CHECK(mach::parse(mach::message_of(server.in.next()))->header.bytes == text().size());
  // From then on only that one is heard.
  REQUIRE(server.answer().body(whole, text()).send() == mach::success);
  CHECK(server.verdict() == Errc::malformed);
}

TEST_CASE("a name that somebody else holds is found out by the answer", "[darwin][credentials]") {
  mach::AuditToken stranger = other_task();
  ++stranger.values[1];
  const AsTask as_stranger(stranger);
  SECTION("a welcome") {
    RawServer server;
    REQUIRE(server.good_welcome().send() == mach::success);
    CHECK(server.verdict() == Errc::permission_denied);
  }
  SECTION("a refusal, which is not believed either") {
    RawServer server;
    const auto bytes = strait::detail::encode_welcome(make_error_code(Errc::bad_token));
    REQUIRE(server.answer().body(refusal, bytes.bytes()).send() == mach::success);
    CHECK(server.verdict() == Errc::permission_denied);
  }
  SECTION("a welcome, where anybody may be the server") {
    using Anybody = strait::Channel<Transport, RawSerializer,
                                    ChannelOptions{.peers = strait::PeerPolicy::any_user}>;
    RawServer<Anybody> server;
    REQUIRE(server.good_welcome().send() == mach::success);
    CHECK_FALSE(server.verdict());
    CHECK(server.client->peer().credentials.uid == ::geteuid() + 1);
  }
}

TEST_CASE("a welcome without a right that can be sent to is none", "[darwin][hostile]") {
  RawServer server;
  const auto bytes = strait::detail::encode_welcome({});
  std::error_code expected = make_error_code(Errc::malformed);
  SECTION("no right") { REQUIRE(server.answer().body(welcome, bytes.bytes()).send() == 0); }
  SECTION("a right to a kernel's object") {
    const OwnedSend object(MachScript::kernel_object(2));
    REQUIRE(server.answer().right(object.name()).body(welcome, bytes.bytes()).send() == 0);
  }
  SECTION("a right to a port that is dead") {
    {
      RawPort dead;
      REQUIRE(server.answer().right(dead.name()).body(welcome, bytes.bytes()).send() == 0);
    }
    expected = make_error_code(Errc::refused);
  }
  SECTION("memory") {
    const auto memory = region_of(5000);
    REQUIRE(server.answer().add(memory.descriptor()).body(welcome, bytes.bytes()).send() == 0);
  }
  SECTION("a right that comes with something else") {
    REQUIRE(server.answer().right(server.in.name()).body(whole, bytes.bytes()).send() == 0);
  }
  CHECK(server.verdict() == expected);
}

// --- a kernel that says no

TEST_CASE("a port's queue takes what it is asked for, as far as Mach goes", "[darwin]") {
  const auto limit = [](std::size_t queue_bytes) {
    auto port = ScriptedDarwin::allocate(queue_bytes).value();
    const auto right = port.make_send_right();
    return MachScript::queue_limit(right.name());
  };
  CHECK(limit(16 << 10) == 16);
  CHECK(limit(1 << 20) == 256);
  CHECK(limit(64 << 20) == 1024);
}

TEST_CASE("a full queue holds everything up and loses nothing, and room is told by the kernel",
          "[darwin]") {
  Connected pair;
  std::size_t sent = 0;
  while (pair.client.queued_bytes() < 100'000) {
    REQUIRE(pair.client.send(block(1000, static_cast<std::uint8_t>(sent++))));
  }
  CHECK(pair.client.flush(0ms).error() == Errc::timed_out);
  // While it waits to be told it does not try again and again.
  const std::size_t calls = MachScript::calls();
  CHECK(pair.client.flush(0ms).error() == Errc::timed_out);
  CHECK(MachScript::calls() - calls <= 3);
  std::size_t got = 0;
  const auto check = [&](View bytes) {
    const auto expected = block(1000, static_cast<std::uint8_t>(got++));
    CHECK(std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()));
  };
  for (int i = 0; i != 100 && got != sent; ++i) {
    REQUIRE(pair.server.poll(check));
    static_cast<void>(pair.client.flush(1h));
  }
  CHECK(got == sent);
}

TEST_CASE("without notifications, or without a port or a descriptor for them, time is asked for",
          "[darwin]") {
  Connected pair;
  SECTION("no notification") { MachScript::fail_notification_requests(1); }
  SECTION("no port") { MachScript::fail_ports(1); }
  SECTION("no descriptor") { MachScript::fail_events(1); }
  while (pair.client.queued_bytes() == 0) REQUIRE(pair.client.send(block(1000)));
  CHECK(pair.client.flush(2ms).error() == Errc::timed_out);
  REQUIRE(pair.server.poll(deaf));
  CHECK(pair.client.flush(1h));
}

TEST_CASE("a send that the kernel could not finish is done again", "[darwin]") {
  const std::size_t size = GENERATE(10u, 50'000u);
  Connected pair;
  SECTION("a signal came") { MachScript::fail_send(mach::send::interrupted, true, 3); }
  SECTION("no memory for the message") { MachScript::fail_send(mach::send::no_buffer, false, 2); }
  SECTION("no memory in the queue") { MachScript::fail_send(mach::send::no_buffer, true, 2); }
  SECTION("not all could be given back") {
    MachScript::fail_send(mach::send::timed_out | 0x2000, true, 2);
  }
  SECTION("no memory for what it carries") {
    MachScript::fail_send(mach::no_kernel_memory, false, 2);
  }
  REQUIRE(pair.client.send(block(size)));
  CHECK(pair.client.flush(1h));
  std::vector<std::byte> got;
  CHECK(pair.server.poll([&](View bytes) { got.assign(bytes.begin(), bytes.end()); }).value() == 1);
  CHECK(got == block(size));
}

TEST_CASE("a mistake in a send is an error and no loop", "[darwin]") {
  Connected pair;
  MachScript::fail_send(mach::send::invalid_header, false);
  CHECK(pair.client.send(block(10)).error() == std::errc::invalid_argument);
}

TEST_CASE("a message that a filter of the system stops is not permitted", "[darwin]") {
  Connected pair;
  MachScript::fail_send(mach::send::filtered, false);
  CHECK(pair.client.send(block(10)).error() == Errc::permission_denied);
}

TEST_CASE("without memory for a region the bytes travel by themselves", "[darwin]") {
  Connected pair;
  MachScript::fail_memory(1);
  REQUIRE(pair.client.send(block(100'000)));
  CHECK(pair.client.flush(1h));
  std::vector<std::byte> got;
  CHECK(pair.server.poll([&](View bytes) { got.assign(bytes.begin(), bytes.end()); }).value() == 1);
  CHECK(got == block(100'000));
}

TEST_CASE("who waits for room hears of the end of the port", "[darwin]") {
  RawClient client;
  auto& server = client.door.server;
  while (server.queued_bytes() == 0) REQUIRE(server.send(block(1000)));
  // The port dies, but not the right to send to this end.
  client.in.receive = OwnedReceive();
  CHECK(server.flush(1h).error() == Errc::peer_closed);
  REQUIRE(client.message().body(whole, text()).send() == mach::success);
  CHECK(server.poll(deaf).value() == 1);
  CHECK(client.verdict() == Errc::peer_closed);
}

TEST_CASE("what the kernel was asked for ends with who asked", "[darwin]") {
  using SendRight = ScriptedDarwin::SendRight;
  RawPort port(1);
  const auto adopt = [&] {
    REQUIRE(ScriptedTraps::make_send(port.name()) == mach::success);
    return SendRight::adopt(OwnedSend(port.name())).value();
  };
  const auto send = [](SendRight& right) {
    if (const auto room = right.reserve(1)) {
      **room = std::byte{1};
      return right.stage({1, 0, whole, 0}).error();
    } else {
      return room.error();
    }
  };
  {
    auto first = adopt();
    auto second = adopt();
    CHECK_FALSE(send(first));
    CHECK(send(first) == Errc::would_block);
    CHECK_FALSE(first.arm(1));
    // Mach has one request for one name: the first loses its own, and is told so.
    CHECK(send(second) == Errc::would_block);
    CHECK(first.arm(1));
    CHECK(send(first) == Errc::would_block);
    SECTION("before there is an answer") {}
    SECTION("before the answer was read") { destroy(port.next()); }
    SECTION("when the port is gone") { port.receive = OwnedReceive(); }
    auto moved = std::move(first);
    second = std::move(moved);
  }
  // Were a request left, the end of the port would leave a name.
}

TEST_CASE("a server that finds neither a port nor a descriptor says so, and leaves nothing",
          "[darwin]") {
  const auto name = unique_name("poor");
  const auto token = Token::generate().value();
  MachScript::fail_events(1);
  CHECK(Link::listen(name, token).error() == std::errc::too_many_files_open);
  auto server = Link::listen(name, token).value();
  SECTION("no port") {
    MachScript::fail_ports(1);
    CHECK(Link::connect(name, token).error() == std::errc::not_enough_memory);
  }
  SECTION("no notification") {
    MachScript::fail_notification_requests(1);
    CHECK(Link::connect(name, token).error() == std::errc::not_enough_memory);
  }
  SECTION("no descriptor") {
    MachScript::fail_events(1);
    CHECK(Link::connect(name, token).error() == std::errc::too_many_files_open);
  }
  auto client = Link::connect(name, token).value();
  CHECK(server.poll(deaf));
  CHECK_FALSE(server.waiting_connect());
}

TEST_CASE("a name that too many knock at takes no more, and all that knocked are heard",
          "[darwin]") {
  Door door;
  RawPort in;
  std::size_t knocked = 0;
  for (;; ++knocked) {
    RawMessage message(door.port.name());
    if (message.right(in.name()).body(0, text()).send() == mach::success) continue;
    destroy(message.bytes());
    break;
  }
  CHECK(knocked == 1024);
  CHECK(Link::connect(door.name, door.token).error() == Errc::would_block);
  for (int i = 0; i != 3; ++i) CHECK(door.server.poll(deaf).value() == 0);
  CHECK(door.server.observer().seen.size() == knocked);
  door.let_the_right_one_in();
}

// --- names

namespace {
struct GroupPrefix {
  static constexpr std::string_view prefix = "group.com.example.";
};
struct LongPrefix {
  static constexpr std::string_view prefix =
      "group.com.example.a.prefix.that.leaves.little.room.for.names.";
};
template <class Prefix>
using PrefixedLink =
    strait::Channel<strait::BasicMachTransport<strait::BasicDarwinKernel<ScriptedTraps, Prefix>>,
                    RawSerializer>;
}  // namespace

TEST_CASE("names have the prefix that the kernel's type says", "[darwin]") {
  using Grouped = PrefixedLink<GroupPrefix>;
  const auto name = unique_name("prefixed");
  const auto token = Token::generate().value();
  auto server = Grouped::listen(name, token).value();
  CHECK(Link::connect(name, token).error() == Errc::not_found);
  CHECK(Grouped::connect(name, token));
  mach::PortName port = 0;
  REQUIRE(ScriptedTraps::look_up(("group.com.example." + name).c_str(), port) == mach::success);
  ScriptedTraps::deallocate(port);
}

TEST_CASE("a name that is held is taken, also where launchd calls it somebody else's", "[darwin]") {
  const auto name = unique_name("held");
  const auto token = Token::generate().value();
  auto server = Link::listen(name, token).value();
  SECTION("by this process") { CHECK(Link::listen(name, token).error() == Errc::name_taken); }
  SECTION("by another one") {
    const AsTask as_other(other_task());
    CHECK(Link::listen(name, token).error() == Errc::name_taken);
  }
  SECTION("and none may be claimed, which only a free name shows") {
    MachScript::refuse_names(2);
    CHECK(Link::listen(name, token).error() == Errc::name_taken);
    CHECK(Link::listen(unique_name("free"), token).error() == Errc::permission_denied);
  }
}

TEST_CASE("a name that is too long with its prefix is no name", "[darwin]") {
  using Prefixed = PrefixedLink<LongPrefix>;
  const auto token = Token::generate().value();
  const std::string longest(
      127 - LongPrefix::prefix.size() > 64 ? 64 : 127 - LongPrefix::prefix.size(), 'n');
  CHECK(Prefixed::listen(longest, token));
  const std::string path = "/" + std::string(127 - LongPrefix::prefix.size(), 'p');
  CHECK(Prefixed::listen(path, token).error() == Errc::invalid_name);
  CHECK(Prefixed::connect(path, token).error() == Errc::invalid_name);
  CHECK(Prefixed::listen(path.substr(1, 3), token));
}
