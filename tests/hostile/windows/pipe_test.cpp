// Peers at a named pipe that break the rules: raw clients beside honest ones, and a raw server.

#include <optional>
#include <vector>

#include "hostile/windows/pipe_peer.hpp"

using namespace strait_test;

TEST_CASE("clients that connect and leave do not keep out an honest one", "[hostile][windows]") {
  Door door;
  for (int i = 0; i != 200; ++i) {
    auto left = strait::windows::connect_pipe(pipe_of(door.name));
    if (!left) REQUIRE(left.error() == Errc::would_block);
    left->reset();
    if (i % 20 == 0) static_cast<void>(door.server.poll(door.at_server));
  }
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("a crowd of silent clients does not keep out an honest one", "[hostile][windows]") {
  Door door;
  std::vector<PipeEnd> silent;
  for (int i = 0; i != 60; ++i) {
    static_cast<void>(door.server.poll(door.at_server));
    silent.push_back(raw_client(door.name));
  }
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("what is no Hello is refused, and the door stays open", "[hostile][windows]") {
  Door door;
  const Bytes hello = hello_of(door.token);
  const Bytes said = GENERATE_COPY(values<Bytes>(
      {Bytes(1), Bytes(7), Bytes(8), pattern(50, 1), pattern(5'000, 2), pattern(100'000, 3),
       Bytes(hello.begin(), hello.end() - 1), frame(0xffff'ffff, 0, 0, {}), frame(0, 0, 0, {}),
       frame(0, 1, 0, {}), frame(0, 0, 255, {})}));
  auto rogue = raw_client(door.name);
  write_raw(rogue, said);
  REQUIRE(poll_until(door.server, door.at_server, [&] { return !door.refusals.log->who.empty(); }));
  CHECK(door.at_server.connected == 0);
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("a Hello with more behind it is refused", "[hostile][windows]") {
  Door door;
  auto rogue = raw_client(door.name);
  Bytes said = hello_of(door.token);
  said.push_back(std::byte{1});
  write_raw(rogue, said);
  REQUIRE(poll_until(door.server, door.at_server, [&] { return !door.refusals.log->who.empty(); }));
  CHECK(door.lets_honest_client_in());
}

TEST_CASE("a client that says nothing is gone after its time", "[hostile][windows]") {
  Door door;
  auto silent = raw_client(door.name);
  REQUIRE(poll_until(door.server, door.at_server, [&] { return !door.refusals.log->who.empty(); }));
  std::array<std::byte, 8> room{};
  strait::Result<std::size_t> got = Errc::would_block;
  REQUIRE(repeat_until([&] {
    got = silent.read(room);
    return !got && got.error() != Errc::would_block;
  }));
  CHECK(got.error() == Errc::peer_closed);
}

TEST_CASE("frames that no honest peer sends end the channel", "[hostile][windows]") {
  RawPeer raw;
  SECTION("too large a one") {
    write_raw(raw.peer, frame(0xffff'ffff, 0, 0, {}));
    CHECK(raw.server_end() == Errc::message_too_large);
  }
  SECTION("the rest of one that never began") {
    write_raw(raw.peer, frame(8, 1, 0, {}));
    CHECK(raw.server_end() == Errc::malformed);
  }
  SECTION("one with rights, without their handles' numbers") {
    write_raw(raw.peer, frame(0, 0, 1, {}));
    CHECK(raw.server_end() == Errc::malformed);
  }
  SECTION("half of one") {
    write_raw(raw.peer, frame(100, 0, 0, pattern(50)));
    raw.peer.reset();
    CHECK(raw.server_end() == Errc::peer_closed);
  }
  CHECK(raw.door.at_server.messages.empty());
}

TEST_CASE("a peer that reads nothing makes nobody wait, and memory stays within bounds",
          "[hostile][windows]") {
  RawPeer raw;
  std::size_t taken = 0;
  while (raw.door.server.send(pattern(60'000))) ++taken;
  CHECK(raw.door.server.send(pattern(60'000)).error() == Errc::queue_full);
  CHECK(raw.door.server.queued_bytes() <= HostileLink::channel_options.max_queued_bytes + 60'008);
  CHECK(raw.door.server.flush(20ms).error() == Errc::timed_out);
  raw.peer.reset();
  CHECK(raw.server_end() == Errc::peer_closed);
  CHECK(taken > 0);
}

TEST_CASE("a server that answers nonsense is malformed", "[hostile][windows]") {
  const auto name = unique_name("nonsense");
  const auto protection = strait::windows::Protection::create().value();
  auto pipe = strait::windows::make_pipe_instance(pipe_of(name), protection).value();
  auto client = HostileLink::connect(name, new_token());
  REQUIRE(client);
  auto server = PipeEnd::create(std::move(pipe)).value();
  const Bytes answer = GENERATE(values<Bytes>(
      {frame(3, 0, 0, pattern(3)), frame(16, 0, 0, pattern(16)), frame(16, 0, 9, pattern(16))}));
  write_raw(server, answer);
  Inbox inbox;
  CHECK(poll_until_error(*client, inbox) == Errc::malformed);
}
