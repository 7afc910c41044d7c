// A Mach that says no where it may, and the names of servers. That no right and no memory is left
// is seen to by the leak listener.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

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
  for (int i = 0; i != 8; ++i) CHECK(door.server.poll(deaf).value() == 0);
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
