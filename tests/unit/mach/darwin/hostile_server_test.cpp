// Servers that are none, and answer a Hello as they like.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

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
