#include <strait/os/windows/named_pipe.hpp>
#include <strait/os/windows/peer_process.hpp>

#include <array>
#include <utility>

#include "support/catch.hpp"

using strait::Errc;
using strait::windows::Descriptor;
using strait::windows::effective_user;
using strait::windows::number_of;
using strait::windows::PeerProcess;

TEST_CASE("a handle of the process at the other end of a pipe can be taken", "[windows][rights]") {
  const auto pipes = strait::windows::pipe_pair().value();
  const auto event = strait::windows::make_event().value();
  for (const bool client : {true, false}) {
    const auto peer = client ? PeerProcess::client_of(pipes[0].get(), effective_user())
                             : PeerProcess::server_of(pipes[1].get(), effective_user());
    const auto taken = peer.take(number_of(event.get()));
    REQUIRE(taken);
    CHECK(taken->get() != event.get());
    ::SetEvent(event.get());
    CHECK(::WaitForSingleObject(taken->get(), 0) == WAIT_OBJECT_0);
  }
}

TEST_CASE("no number that is a pseudo handle or none at all is asked for", "[windows][rights]") {
  const auto pipes = strait::windows::pipe_pair().value();
  const auto peer = PeerProcess::client_of(pipes[0].get(), effective_user());
  for (unsigned i = 1; i != 20; ++i) CHECK(peer.take(0u - i).error() == Errc::malformed);
  for (const unsigned number : {0u, 1u, 2u, 3u, 5u, 0x8000'0000u, 0x7fff'fffcu}) {
    CHECK(peer.take(number).error() == Errc::malformed);
  }
  CHECK_FALSE(strait::windows::can_travel(::GetCurrentProcess()));
  CHECK_FALSE(strait::windows::can_travel(::GetCurrentThread()));
  CHECK_FALSE(strait::windows::can_travel(nullptr));
  CHECK(strait::windows::can_travel(pipes[0].get()));
}

TEST_CASE("nothing is taken from the process of another user than the pipe's",
          "[windows][rights]") {
  const auto pipes = strait::windows::pipe_pair().value();
  const auto event = strait::windows::make_event().value();
  const std::array<std::byte, 12> other{std::byte{1}, std::byte{1}};
  for (const auto& user : {strait::UserId(), strait::UserId(other)}) {
    const auto peer = PeerProcess::client_of(pipes[0].get(), user);
    CHECK(peer.take(number_of(event.get())).error() == Errc::permission_denied);
  }
}

TEST_CASE("a process id is worth nothing once the pipe has ended", "[windows][rights]") {
  auto pipes = strait::windows::pipe_pair().value();
  const auto event = strait::windows::make_event().value();
  pipes[1].reset();
  const auto peer = PeerProcess::client_of(pipes[0].get(), effective_user());
  CHECK(peer.take(number_of(event.get())).error() == Errc::permission_denied);
  CHECK(PeerProcess().take(number_of(event.get())).error() == Errc::permission_denied);
}
