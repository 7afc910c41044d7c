#include <strait/os/windows/named_pipe.hpp>
#include <strait/os/windows/pipe_end.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/own_process.hpp"
#include "support/readable.hpp"

using namespace std::chrono_literals;
using strait::Errc;
using strait::windows::GatheredPart;
using strait::windows::PipeEnd;
using strait_test::readable_within;

namespace {

struct Ends {
  Ends() {
    auto pipes = strait::windows::pipe_pair().value();
    server = PipeEnd::create(std::move(pipes[0])).value();
    client = PipeEnd::create(std::move(pipes[1])).value();
  }

  PipeEnd server;
  PipeEnd client;
};

strait::Result<std::size_t> write(PipeEnd& to, std::vector<std::byte>& bytes) {
  const GatheredPart part{bytes.data(), bytes.size()};
  return to.write({&part, 1});
}

std::vector<std::byte> bytes_of(std::size_t size, int value = 1) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

}  // namespace

TEST_CASE("an end of a pipe is readable while it has something", "[pipe_end]") {
  Ends ends;
  std::array<std::byte, 10> room{};
  CHECK(ends.client.read(room).error() == Errc::would_block);
  CHECK_FALSE(readable_within(ends.client.to_read().handle, 0ms));
  auto bytes = bytes_of(15);
  REQUIRE(write(ends.server, bytes).value() == 15);
  CHECK(readable_within(ends.client.to_read().handle, 20s));
  CHECK(ends.client.readable());
  CHECK(ends.client.read(room).value() == 10);
  CHECK(readable_within(ends.client.to_read().handle, 0ms));
  CHECK(ends.client.read(room).value() == 5);
  CHECK(ends.client.read(room).error() == Errc::would_block);
  CHECK_FALSE(readable_within(ends.client.to_read().handle, 0ms));
}

TEST_CASE("what a pipe has no room for counts when it is through", "[pipe_end]") {
  Ends ends;
  auto bytes = bytes_of(60'000, 7);
  std::size_t written = 0;
  for (;;) {
    const auto some = write(ends.server, bytes);
    REQUIRE(some);
    if (*some == 0) break;
    written += *some;
    REQUIRE(written < 100'000'000);
  }
  CHECK_FALSE(readable_within(ends.server.to_write().handle, 0ms));
  std::vector<std::byte> room(1 << 20);
  std::size_t got = 0;
  while (got != written + bytes.size()) {
    const auto some = ends.client.read(room);
    if (some) {
      got += *some;
    } else {
      REQUIRE(some.error() == Errc::would_block);
      REQUIRE(readable_within(ends.client.to_read().handle, 20s));
    }
  }
  CHECK(readable_within(ends.server.to_write().handle, 20s));
  CHECK(write(ends.server, bytes).value() == bytes.size());
}

TEST_CASE("all that was written comes before the end", "[pipe_end]") {
  Ends ends;
  auto bytes = bytes_of(10'000);
  REQUIRE(write(ends.server, bytes).value() == bytes.size());
  ends.server.reset();
  std::vector<std::byte> room(20'000);
  std::size_t got = 0;
  strait::Result<std::size_t> some = 0;
  while ((some = ends.client.read(room)) || some.error() == Errc::would_block) {
    got += some.value_or(0);
  }
  CHECK(some.error() == Errc::peer_closed);
  CHECK(got == bytes.size());
  CHECK(ends.client.read(room).error() == Errc::peer_closed);
  CHECK(write(ends.client, bytes).error() == Errc::peer_closed);
}

TEST_CASE("an end goes on when the thread is gone that had begun to read", "[pipe_end]") {
  Ends ends;
  std::array<std::byte, 100> room{};
  auto bytes = bytes_of(3);
  for (int round = 0; round != 20; ++round) {
    std::thread([&] {
      // Takes all there is, so that the reading that is under way is this thread's.
      while (ends.client.read(room)) {
      }
    }).join();
    REQUIRE(write(ends.server, bytes).value() == 3);
    const auto end = std::chrono::steady_clock::now() + 20s;
    strait::Result<std::size_t> got = Errc::would_block;
    while (!got && std::chrono::steady_clock::now() < end) {
      got = ends.client.read(room);
      if (!got) REQUIRE(got.error() == Errc::would_block);
    }
    REQUIRE(got.value() == 3);
  }
}

TEST_CASE("an end that wrote nothing, over and over, holds up nobody", "[pipe_end]") {
  auto pipes = strait::windows::pipe_pair().value();
  auto client = PipeEnd::create(std::move(pipes[1])).value();
  std::array<std::byte, 10> room{};
  for (int i = 0; i != 100; ++i) {
    OVERLAPPED overlapped{};
    const auto event = strait::windows::make_event().value();
    overlapped.hEvent = event.get();
    static_cast<void>(::WriteFile(pipes[0].get(), room.data(), 0, nullptr, &overlapped));
    DWORD size = 0;
    ::GetOverlappedResult(pipes[0].get(), &overlapped, &size, TRUE);
    CHECK(client.read(room).error() == Errc::would_block);
  }
}

TEST_CASE("both ends of a pipe know who is at the other", "[pipe_end]") {
  Ends ends;
  auto bytes = bytes_of(1);
  REQUIRE(write(ends.client, bytes));
  std::array<std::byte, 1> room{};
  while (!ends.server.read(room)) {
  }
  const auto client = strait::windows::client_credentials(ends.server.get()).value();
  CHECK(client.uid == strait_test::own_user());
  CHECK(client.pid == strait_test::own_pid());
  const auto server = strait::windows::server_credentials(ends.client.get()).value();
  CHECK(server.uid == strait_test::own_user());
  CHECK(server.pid == strait_test::own_pid());
}

TEST_CASE("a thousand ends leave no handle", "[pipe_end]") {
  const auto number_of_next_event = [] {
    return reinterpret_cast<std::uintptr_t>(strait::windows::make_event().value().get());
  };
  const auto round = [] { Ends ends; };
  round();
  const auto before = number_of_next_event();
  for (int i = 0; i != 500; ++i) round();
  // The lowest number that is free is given out next.
  CHECK(number_of_next_event() <= before + 4 * 16);
}
