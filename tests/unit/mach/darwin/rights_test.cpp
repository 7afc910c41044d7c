// Files as rights in Mach messages.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

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
  REQUIRE(rights.add(Descriptor(::dup(strait::os::WaitSet::create()->native_handle()))));
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
  const Descriptor device = strait::os::open("/dev/null", O_RDONLY).value();
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
