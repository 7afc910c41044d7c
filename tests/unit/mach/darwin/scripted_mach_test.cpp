// That the played kernel keeps Mach's rules, of which the tests over it are worth just as much.
// Where a rule is from: XNU, osfmk/ipc and its tests (tests/ipc, kqueue_port_tests.c).

#include "support/scripted_mach.hpp"

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "support/raw_mach.hpp"

using namespace strait_test;
using mach::Disposition;
using mach::Notification;

namespace {

Notification id_of(const std::vector<std::byte>& received) {
  REQUIRE(received.size() >= sizeof(mach::Header));
  CHECK(mach::sender_of(received)->is_kernel());
  return static_cast<Notification>(mach::read_at<mach::Header>(received, 0).id);
}

bool readable(const ScriptedTraps::PortEvents& events) {
  pollfd entry{events.native_handle(), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

mach::Return ask(mach::PortName name, Notification what, std::uint32_t sync,
                 const RawPort& notify) {
  mach::PortName previous = 0;
  const auto result =
      ScriptedTraps::request_notification(name, what, sync, notify.name(), previous);
  if (previous != 0) ScriptedTraps::deallocate(previous);
  return result;
}

}  // namespace

TEST_CASE("a queue takes as many messages as its limit, first in, first out", "[scripted_mach]") {
  RawPort port(3);
  for (std::int32_t i = 0; i != 3; ++i) CHECK(RawMessage(port.name(), 100 + i).send() == 0);
  CHECK(RawMessage(port.name()).send() == mach::send::timed_out);
  CHECK(MachScript::queued(port.name()) == 3);
  RawMessage fourth(port.name(), 103);
  REQUIRE(fourth.send() == mach::send::timed_out);
  destroy(fourth.bytes());
  for (std::int32_t i = 0; i != 3; ++i) {
    const auto received = port.next();
    CHECK(mach::read_at<mach::Header>(received, 0).id == 100 + i);
    CHECK(mach::sender_of(received).value() == own_task());
  }
  CHECK(port.next().empty());
  CHECK(port.last == mach::receive::timed_out);
  // Both that were given back hold one more reference to the port.
  ScriptedTraps::deallocate(port.name());
}

TEST_CASE("a send-once right knows no limit, and says when it ends unused", "[scripted_mach]") {
  RawPort port(1);
  RawPort carrier;
  REQUIRE(RawMessage(port.name()).send() == 0);
  REQUIRE(RawMessage(port.name()).send(Disposition::make_send_once) == 0);
  CHECK(MachScript::queued(port.name()) == 2);
  destroy(port.next());
  destroy(port.next());
  REQUIRE(RawMessage(carrier.name()).right(port.name(), Disposition::make_send_once).send() == 0);
  destroy(carrier.next());
  CHECK(id_of(port.next()) == Notification::send_once);
}

TEST_CASE("a message that found no room is given back as if it had been received",
          "[scripted_mach]") {
  RawPort full(1);
  REQUIRE(RawMessage(full.name()).send() == 0);
  RawPort other;
  std::uint64_t address = 0;
  REQUIRE(ScriptedTraps::allocate_memory(5000, address) == 0);
  RawMessage message(full.name());
  message.right(other.name())
      .add(mach::copy_of_memory(reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)),
                                5000));
  REQUIRE(message.send() == mach::send::timed_out);
  const auto header = mach::read_at<mach::Header>(message.bytes(), 0);
  CHECK(mach::remote_right(header.bits) == Disposition::move_send);
  CHECK(header.remote == full.name());
  const auto right = mach::read_at<mach::PortDescriptor>(message.bytes(), 28);
  CHECK(right.name == other.name());
  CHECK(right.disposition == Disposition::move_send);
  const auto memory = mach::read_at<mach::MemoryDescriptor>(message.bytes(), 40);
  CHECK(memory.address != address);
  CHECK(memory.deallocate == 1);
  destroy(message.bytes());
  CHECK(ScriptedTraps::deallocate_memory(address, 5000) == 0);
}

TEST_CASE("rights to one port are one name, each with its own reference", "[scripted_mach]") {
  RawPort port;
  RawPort carrier;
  for (int i = 0; i != 2; ++i) {
    REQUIRE(RawMessage(carrier.name()).right(port.name()).send() == 0);
    const auto received = carrier.next();
    CHECK(mach::read_at<mach::PortDescriptor>(received, 28).name == port.name());
  }
  CHECK(mach_holdings().contains("Mach name 0x" + [&] {
    char text[20];
    std::snprintf(text, sizeof text, "%x", port.name());
    return std::string(text);
  }() + ": receive send x3"));
  ScriptedTraps::deallocate(port.name());
  ScriptedTraps::deallocate(port.name());
}

TEST_CASE("that there are no senders is told behind what they had sent", "[scripted_mach]") {
  RawPort port;
  REQUIRE(ask(port.name(), Notification::no_senders, 0, port) == 0);
  REQUIRE(RawMessage(port.name(), 100).send() == 0);
  port.send = OwnedSend();
  CHECK(MachScript::queued(port.name()) == 1);  // the message itself is a sender, too
  CHECK(mach::read_at<mach::Header>(port.next(), 0).id == 100);
  CHECK(id_of(port.next()) == Notification::no_senders);
  CHECK(port.next().empty());
}

TEST_CASE("a send right under way counts, and is gone when its message is destroyed",
          "[scripted_mach]") {
  RawPort port;
  REQUIRE(ask(port.name(), Notification::no_senders, 0, port) == 0);
  {
    RawPort carrier;
    REQUIRE(RawMessage(carrier.name()).right(port.name()).send() == 0);
    port.send = OwnedSend();
    CHECK(port.next().empty());
  }
  CHECK(id_of(port.next()) == Notification::no_senders);
}

TEST_CASE("room is told once, at once if there is some already", "[scripted_mach]") {
  RawPort port(1);
  RawPort notify;
  REQUIRE(ask(port.name(), Notification::send_possible, 1, notify) == 0);
  CHECK(id_of(notify.next()) == Notification::send_possible);
  REQUIRE(RawMessage(port.name()).send() == 0);
  REQUIRE(ask(port.name(), Notification::send_possible, 1, notify) == 0);
  CHECK(notify.next().empty());
  destroy(port.next());
  CHECK(id_of(notify.next()) == Notification::send_possible);
  REQUIRE(RawMessage(port.name()).send() == 0);
  destroy(port.next());
  CHECK(notify.next().empty());
}

TEST_CASE("a message that is taken out tells of room, also where there is none yet",
          "[scripted_mach]") {
  RawPort port(1);
  RawPort notify;
  REQUIRE(RawMessage(port.name()).send() == 0);
  REQUIRE(RawMessage(port.name()).send(Disposition::make_send_once) == 0);
  SECTION("asked with a look at the port") {
    REQUIRE(ask(port.name(), Notification::send_possible, 1, notify) == 0);
    destroy(port.next());
    CHECK(MachScript::queued(port.name()) == 1);
    CHECK(id_of(notify.next()) == Notification::send_possible);
  }
  SECTION("but not of one that is too large, and destroyed") {
    REQUIRE(RawMessage(port.name())
                .body(1, std::vector<std::byte>(200))
                .send(Disposition::make_send_once) == 0);
    destroy(port.next());
    destroy(port.next());
    REQUIRE(ask(port.name(), Notification::send_possible, 1, notify) == 0);
    CHECK(port.next(sizeof(mach::Header) + mach::max_trailer_bytes).empty());
    CHECK(port.last == mach::receive::too_large);
    CHECK(notify.next().empty());
    REQUIRE(RawMessage(port.name()).send() == 0);
    destroy(port.next());
    CHECK(id_of(notify.next()) == Notification::send_possible);
  }
  SECTION("asked without one, which tells only of the end") {
    REQUIRE(ask(port.name(), Notification::send_possible, 0, notify) == 0);
    destroy(port.next());
    destroy(port.next());
    CHECK(notify.next().empty());
    const auto name = port.name();
    port.receive = OwnedReceive();
    CHECK(id_of(notify.next()) == Notification::dead_name);
    CHECK(ScriptedTraps::deallocate(name) == 0);
  }
}

TEST_CASE("the end of a port is told with a reference to what is left of its name",
          "[scripted_mach]") {
  RawPort port(1);
  RawPort notify;
  const auto name = port.name();
  REQUIRE(RawMessage(name).send() == 0);
  REQUIRE(ask(name, Notification::send_possible, 1, notify) == 0);
  port.receive = OwnedReceive();
  CHECK(id_of(notify.next()) == Notification::dead_name);
  CHECK(RawMessage(name).send() == mach::send::invalid_dest);
  std::uint32_t type = 0;
  CHECK(ScriptedTraps::kernel_object(name, type) == mach::kern::invalid_name);
  CHECK(ask(name, Notification::dead_name, 0, notify) == mach::kern::invalid_argument);
  CHECK(id_of(notify.next()) == Notification::send_once);
  CHECK(ask(name, Notification::send_possible, 0, notify) == 0);
  CHECK(id_of(notify.next()) == Notification::dead_name);
  for (int i = 0; i != 2; ++i) CHECK(ScriptedTraps::deallocate(name) == 0);
}

TEST_CASE(
    "a request that was answered costs a reference at the end of its port, until it is cancelled",
    "[scripted_mach]") {
  RawPort port(1);
  RawPort notify;
  const auto name = port.name();
  REQUIRE(ask(name, Notification::send_possible, 1, notify) == 0);
  CHECK(id_of(notify.next()) == Notification::send_possible);
  bool cancelled = false;
  SECTION("left as it is") {}
  SECTION("cancelled") {
    cancelled = true;
    mach::PortName previous = 0;
    CHECK(ScriptedTraps::request_notification(name, Notification::send_possible, 0, mach::null_port,
                                              previous) == 0);
    CHECK(previous == mach::null_port);
  }
  port.receive = OwnedReceive();
  CHECK(notify.next().empty());
  if (!cancelled) CHECK(ScriptedTraps::deallocate(name) == 0);
}

TEST_CASE("a request that fails tells that its right was not used", "[scripted_mach]") {
  RawPort port;
  RawPort notify;
  MachScript::fail_notification_requests(1);
  CHECK(ask(port.name(), Notification::send_possible, 1, notify) == mach::kern::resource_shortage);
  CHECK(id_of(notify.next()) == Notification::send_once);
}

TEST_CASE("a request stands although nobody can be given the one that it replaces",
          "[scripted_mach]") {
  RawPort port(1);
  REQUIRE(RawMessage(port.name()).send() == 0);
  RawPort notify;
  {
    RawPort gone;
    REQUIRE(ask(port.name(), Notification::send_possible, 1, gone) == 0);
  }
  CHECK(ask(port.name(), Notification::send_possible, 1, notify) == mach::kern::invalid_capability);
  destroy(port.next());
  CHECK(id_of(notify.next()) == Notification::send_possible);
  mach::PortName previous = 0;
  CHECK(ScriptedTraps::request_notification(port.name(), Notification::send_possible, 0,
                                            mach::null_port, previous) == 0);
}

TEST_CASE("a right to a port that died under way arrives dead", "[scripted_mach]") {
  RawPort carrier;
  {
    RawPort port;
    REQUIRE(RawMessage(carrier.name()).right(port.name()).send() == 0);
  }
  const auto received = carrier.next();
  CHECK(mach::read_at<mach::PortDescriptor>(received, 28).name == mach::dead_port);
}

TEST_CASE("what is left of a port can be sent as any right that can be dead", "[scripted_mach]") {
  RawPort carrier;
  const mach::PortName left = [] {
    RawPort port;
    REQUIRE(ScriptedTraps::make_send(port.name()) == 0);  // beside the one that ends here
    return port.name();
  }();
  const auto how =
      GENERATE(Disposition::copy_send, Disposition::move_send, Disposition::move_send_once);
  REQUIRE(RawMessage(carrier.name()).right(left, how).send() == 0);
  const auto received = carrier.next();
  const auto right = mach::read_at<mach::PortDescriptor>(received, 28);
  CHECK(right.name == mach::dead_port);
  CHECK(right.disposition == (how == Disposition::move_send_once ? how : Disposition::move_send));
  if (how == Disposition::copy_send) CHECK(ScriptedTraps::deallocate(left) == 0);
}

TEST_CASE("bits of a header that mean nothing are not looked at", "[scripted_mach]") {
  RawPort port;
  RawMessage message(port.name());
  mach::write_at(message.bytes().data(), 0,
                 mach::Header{19u | 0x0400'0000u, 24, port.name(), 0, 0, 1});
  CHECK(ScriptedTraps::message(message.bytes().data(), mach::option::send, 24, 0, 0, 0) == 0);
  CHECK(mach::read_at<mach::Header>(port.next(), 0).bits ==
        mach::header_bits(Disposition::none, Disposition::move_send));
  CHECK(ScriptedTraps::deallocate(mach::null_port) == 0);
}

TEST_CASE("a message too large stays with its size told, or is destroyed", "[scripted_mach]") {
  RawPort port;
  RawPort inside;
  const std::vector<std::byte> body(1000);
  for (int i = 0; i != 2; ++i) {
    REQUIRE(RawMessage(port.name()).right(inside.name()).body(1, body).send() == 0);
  }
  std::vector<std::byte> buffer(sizeof(mach::Header) + mach::max_trailer_bytes);
  const auto receive = [&](mach::Options more) {
    return ScriptedTraps::message(buffer.data(),
                                  mach::option::receive | mach::option::receive_timeout | more, 0,
                                  static_cast<std::uint32_t>(buffer.size()), port.name(), 0);
  };
  CHECK(receive(mach::option::receive_large) == mach::receive::too_large);
  CHECK(mach::read_at<mach::Header>(buffer, 0).size == 24 + 4 + 12 + 8 + 1000);
  CHECK(MachScript::queued(port.name()) == 2);
  CHECK(receive(0) == mach::receive::too_large);
  CHECK(mach::sender_of(buffer)->is_kernel());
  CHECK(MachScript::queued(port.name()) == 1);
  // A byte too little for the trailer is too little.
  CHECK(port.next(1048 + sizeof(mach::AuditTrailer) - 1, mach::option::receive_large).empty());
  destroy(port.next(1048 + sizeof(mach::AuditTrailer), mach::option::receive_large));
}

TEST_CASE("out-of-line memory is what it was when it was sent", "[scripted_mach]") {
  RawPort port;
  auto region = mach::Region<ScriptedTraps>::filled_by(3 * 4096 + 5, [](std::byte* out) {
    for (std::size_t i = 0; i != 3 * 4096 + 5; ++i) out[i] = std::byte(i % 251);
  });
  REQUIRE(RawMessage(port.name()).add(region->descriptor()).send() == 0);
  const auto address =
      reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(region->descriptor().address));
  address[7] = std::byte{99};
  const auto received = port.next();
  const auto memory = mach::read_at<mach::MemoryDescriptor>(received, 28);
  CHECK(memory.size == 3 * 4096 + 5);
  const auto* there =
      reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(memory.address));
  CHECK(there[7] == std::byte{7});
  CHECK(there[3 * 4096 + 4] == std::byte((3 * 4096 + 4) % 251));
  destroy(received);
}

TEST_CASE("any memory that can be read can be sent, the stack too", "[scripted_mach]") {
  RawPort port;
  const int on_the_stack = 12'345;
  REQUIRE(RawMessage(port.name()).add(mach::copy_of_memory(&on_the_stack, 4)).send() == 0);
  const auto received = port.next();
  const auto memory = mach::read_at<mach::MemoryDescriptor>(received, 28);
  CHECK(*reinterpret_cast<const int*>(static_cast<std::uintptr_t>(memory.address)) == 12'345);
  destroy(received);
}

TEST_CASE("the descriptor for a port's messages is readable until it is cleared without any",
          "[scripted_mach]") {
  RawPort port;
  REQUIRE(RawMessage(port.name()).send() == 0);
  auto events = ScriptedTraps::PortEvents::watch(port.name()).value();
  CHECK(readable(events));
  // Receiving does not touch what kqueue has found: XNU, ipc_mqueue.c and kern_event.c.
  destroy(port.next());
  CHECK(readable(events));
  events.clear();
  CHECK_FALSE(readable(events));
  REQUIRE(RawMessage(port.name()).send() == 0);
  CHECK(readable(events));
  events.clear();
  CHECK(readable(events));
  destroy(port.next());
  events.clear();
  CHECK_FALSE(readable(events));
  REQUIRE(events.wake_in(std::chrono::milliseconds{1}));
  CHECK(readable(events));
  events.cancel_wake();
  CHECK_FALSE(readable(events));
  port.receive = OwnedReceive();
  CHECK(readable(events));
}

TEST_CASE("a receiver that sleeps is woken by a message, and by the end of its port",
          "[scripted_mach]") {
  RawPort port;
  std::vector<std::byte> buffer(4096);
  mach::Return result = -1;
  const std::size_t calls = MachScript::calls();
  std::thread receiver([&, name = port.name()] {
    result = ScriptedTraps::message(buffer.data(), mach::option::receive, 0, 4096, name, 0);
  });
  while (MachScript::calls() == calls) std::this_thread::yield();
  mach::Return expected = mach::success;
  SECTION("a message") { CHECK(RawMessage(port.name()).send() == mach::success); }
  SECTION("the end") {
    port.receive = OwnedReceive();
    expected = mach::receive::port_changed;
  }
  receiver.join();
  CHECK(result == expected);
}

TEST_CASE("messages that the kernel would not take are not taken, and nothing is lost by it",
          "[scripted_mach]") {
  RawPort port;
  RawMessage message(port.name());
  SECTION("no length") {
    CHECK(ScriptedTraps::message(message.bytes().data(), mach::option::send, 20, 0, 0, 0) ==
          mach::send::message_too_small);
  }
  SECTION("a length between words") {
    message.bytes().resize(26);
    CHECK(message.send() == mach::send::message_too_small);
  }
  SECTION("more descriptors than fit") {
    message.right(port.name());
    mach::write_at(message.bytes().data(), 24, mach::Body{2});
    CHECK(message.send() == mach::send::message_too_small);
  }
  SECTION("a right that is none") {
    CHECK(message.right(0x7777).send() == mach::send::invalid_right);
  }
  SECTION("a reply port without a right") {
    mach::write_at(message.bytes().data(), 0, mach::Header{19, 24, port.name(), port.name(), 0, 1});
    CHECK(ScriptedTraps::message(message.bytes().data(), mach::option::send, 24, 0, 0, 0) ==
          mach::send::invalid_header);
  }
  SECTION("a right to reply that is none, and the message would have taken the last of the other") {
    mach::PortName full = 0;
    REQUIRE(ScriptedTraps::construct_port(1, full) == 0);
    REQUIRE(ScriptedTraps::make_send(full) == 0);
    const OwnedReceive receive(full);
    RawMessage other(full);
    CHECK(other.reply(0x7777).send(Disposition::move_send) == mach::send::invalid_reply);
    CHECK(ScriptedTraps::deallocate(full) == 0);
  }
  SECTION("memory that is not there") {
    auto* const page = reinterpret_cast<void*>(std::uintptr_t{4096});
    CHECK(message.add(mach::copy_of_memory(page, 4)).send() == mach::send::invalid_memory);
  }
  CHECK(port.next().empty());
}

TEST_CASE("a port that is sent to itself takes the message with it", "[scripted_mach]") {
  mach::PortName port = 0;
  REQUIRE(ScriptedTraps::construct_port(5, port) == mach::success);
  REQUIRE(ScriptedTraps::make_send(port) == mach::success);
  CHECK(RawMessage(port).right(port, Disposition::move_receive).send() == mach::success);
  CHECK(RawMessage(port).send() == mach::send::invalid_dest);
  CHECK(ScriptedTraps::deallocate(port) == mach::success);
}
