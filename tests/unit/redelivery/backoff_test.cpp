#include "strait/redelivery/backoff.hpp"

#include <chrono>
#include <set>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using strait::detail::Backoff;

TEST_CASE("pauses double up to the longest, and are cut by a half at the most", "[redelivery]") {
  // So long that the time which a test takes does not matter.
  Backoff backoff(1h, 100h);
  for (const auto whole : {1h, 2h, 4h, 8h, 16h, 32h, 64h, 100h, 100h, 100h}) {
    const auto left = backoff.next().left();
    CHECK(left <= whole);
    CHECK(left > whole / 2 - 10min);
    // A connection that did not last does not begin them anew.
    backoff.connected();
  }
}

TEST_CASE("a connection that has lasted begins the pauses anew", "[redelivery]") {
  Backoff backoff(1ms, 2ms);
  for (int i = 0; i != 5; ++i) static_cast<void>(backoff.next());
  backoff.connected();
  for (const auto end = std::chrono::steady_clock::now() + 3ms;
       std::chrono::steady_clock::now() < end;) {
  }
  CHECK(backoff.next().left() <= 1ms);
  // And from there they grow.
  CHECK(backoff.next().left() <= 2ms);
}

TEST_CASE("no two clients come at the same time", "[redelivery]") {
  std::set<std::chrono::nanoseconds> pauses;
  for (int i = 0; i != 20; ++i) pauses.insert(Backoff(10h, 10h).next().left());
  CHECK(pauses.size() > 10);
}
