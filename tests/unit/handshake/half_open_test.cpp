#include <strait/handshake/half_open.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/own_process.hpp"

using strait::Errc;
using strait::Result;
using strait::detail::AcceptLimits;
using strait::detail::HalfOpen;
using namespace std::chrono_literals;

namespace {

using Waiting = HalfOpen<std::unique_ptr<int>>;

struct Seen {
  int client = -1;
  std::error_code error;
};

// Asks all of them; those in `ready` have said Hello, those in `broken` garbage.
Result<Seen> next(Waiting& waiting, const std::set<int>& ready, const std::set<int>& broken = {}) {
  return waiting.next(
      [&](std::unique_ptr<int>& client) -> Result<int> {
        if (broken.contains(*client)) return Errc::malformed;
        if (ready.contains(*client)) return *client;
        return Errc::would_block;
      },
      [](std::unique_ptr<int>& client, Result<int> answer) -> Result<Seen> {
        return Seen{*client, answer.error()};
      });
}

Waiting with_clients(AcceptLimits limits, int count) {
  Waiting waiting(limits);
  for (int i = 0; i != count; ++i) REQUIRE(waiting.add(std::make_unique<int>(i)));
  return waiting;
}

}  // namespace

TEST_CASE("nobody waits in the beginning", "[half_open]") {
  Waiting waiting;
  CHECK(next(waiting, {}).error() == Errc::empty);
  CHECK(waiting.deadline().is_never());
  CHECK_FALSE(waiting.overfull());
}

TEST_CASE("who has said Hello comes out, past others that have not", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 8, .timeout = 1h}, 4);
  CHECK(next(waiting, {}).error() == Errc::empty);
  const auto third = next(waiting, {2, 3}).value();
  CHECK(third.client == 2);
  CHECK_FALSE(third.error);
  CHECK(next(waiting, {3}).value().client == 3);
  CHECK(next(waiting, {}).error() == Errc::empty);
  CHECK(next(waiting, {0}).value().client == 0);
  CHECK(next(waiting, {1}).value().client == 1);
  CHECK(next(waiting, {0, 1, 2, 3}).error() == Errc::empty);
}

TEST_CASE("garbage from one client is that client's failure alone", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 8, .timeout = 1h}, 3);
  const auto first = next(waiting, {2}, {0}).value();
  CHECK(first.client == 0);
  CHECK(first.error == Errc::malformed);
  CHECK(next(waiting, {2}).value().client == 2);
}

TEST_CASE("a client whose time is up goes, one after the other", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 8, .timeout = 0ms}, 3);
  CHECK(waiting.deadline().passed());
  for (int i = 0; i != 3; ++i) {
    const auto late = next(waiting, {}).value();
    CHECK(late.client == i);
    CHECK(late.error == Errc::handshake_timeout);
  }
  CHECK(next(waiting, {}).error() == Errc::empty);
  CHECK(waiting.deadline().is_never());
}

TEST_CASE("a Hello that came late but before anybody looked still counts", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 8, .timeout = 0ms}, 1);
  CHECK_FALSE(next(waiting, {0}).value().error);
}

TEST_CASE("the oldest silent client makes room for one too many", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 2, .timeout = 1h}, 2);
  CHECK_FALSE(waiting.overfull());
  CHECK(next(waiting, {}).error() == Errc::empty);
  REQUIRE(waiting.add(std::make_unique<int>(2)));
  CHECK(waiting.overfull());
  const auto evicted = next(waiting, {}).value();
  CHECK(evicted.client == 0);
  CHECK(evicted.error == Errc::handshake_timeout);
  CHECK_FALSE(waiting.overfull());
  CHECK(next(waiting, {2}).value().client == 2);
  CHECK(next(waiting, {}).error() == Errc::empty);
}

TEST_CASE("nobody makes room while another has said Hello", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 2, .timeout = 1h}, 3);
  CHECK(next(waiting, {2}).value().client == 2);
  CHECK_FALSE(waiting.overfull());
  CHECK(next(waiting, {}).error() == Errc::empty);
}

TEST_CASE("the oldest client is not evicted when it has said Hello", "[half_open]") {
  auto waiting = with_clients({.max_half_open = 2, .timeout = 1h}, 3);
  CHECK(waiting.overfull());
  const auto first = next(waiting, {0}).value();
  CHECK(first.client == 0);
  CHECK_FALSE(first.error);
}

TEST_CASE("half-open clients move with what holds them", "[half_open]") {
  auto first = with_clients({.max_half_open = 3, .timeout = 1h}, 2);
  Waiting second = std::move(first);
  CHECK(next(first, {0, 1}).error() == Errc::empty);
  CHECK(next(second, {1}).value().client == 1);
  first = std::move(second);
  CHECK(next(first, {0}).value().client == 0);
}

TEST_CASE("one user's silent clients do not drive out another one's", "[half_open]") {
  struct Client {
    strait::PeerCredentials credentials;
    int number = 0;
  };
  HalfOpen<Client> waiting(AcceptLimits{.max_half_open = 4, .timeout = 1h});
  std::vector<int> gone;
  const auto make_room = [&] {
    const auto evicted =
        waiting.next([](Client&) -> Result<void> { return Errc::would_block; },
                     [](Client& client, Result<void>) -> Result<int> { return client.number; });
    if (evicted) gone.push_back(*evicted);
  };
  REQUIRE(waiting.add({{strait_test::user_number(1000), 0, 0}, 1}));
  for (int i = 2; i != 12; ++i) {
    REQUIRE(waiting.add({{strait_test::user_number(2000), 0, 0}, i}));
    make_room();
  }
  CHECK(gone == std::vector{2, 3, 4, 5, 6, 7, 8});
}
