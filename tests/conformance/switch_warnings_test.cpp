// A user's warnings for each `switch` that lacks an enumerator or a default, over all the code that
// a channel is made of. That this compiles is the test.

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch-enum"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic error "-Wswitch-default"
#endif

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"

#pragma GCC diagnostic pop

using namespace strait_test;

TEMPLATE_TEST_CASE("no switch of the library warns a user who wants all cases in it", "[warnings]",
                   STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  REQUIRE(pair.client.send(pattern(20'000)));
  CHECK(pair.server.wait(pair.at_server, long_enough).value() == 1);
}
