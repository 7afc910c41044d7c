// Clients at the door of the kernel that speaks to Mach, and inside it, that break every rule. That
// no right and no memory is left is seen to by the leak listener.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

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
