// Descriptors that have to go quiet, and to speak up again.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

TEST_CASE("a port that was received empty is not readable any more", "[darwin]") {
  auto in = ScriptedDarwin::allocate(16 << 10).value();
  auto out = ScriptedDarwin::SendRight::adopt(in.make_send_right()).value();
  const auto send = [&] {
    **out.reserve(1) = std::byte{1};
    REQUIRE(out.stage({1, 0, whole, 0}));
  };
  const strait::NativeHandle handle = in.interest().handle;
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
