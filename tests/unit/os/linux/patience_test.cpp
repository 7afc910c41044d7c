// How often a thread that waits is woken up, which only Linux tells.

#include <sys/resource.h>

#include "conformance/channels.hpp"
#include "strait/transports/socket.hpp"

using namespace strait_test;

TEST_CASE("a client that waits for a server to appear looks less and less often", "[connect]") {
  rusage before;
  rusage after;
  REQUIRE(::getrusage(RUSAGE_THREAD, &before) == 0);
  CHECK(RawLink<strait::SocketTransport>::connect(unique_name(), new_token(), 1s).error() ==
        Errc::not_found);
  REQUIRE(::getrusage(RUSAGE_THREAD, &after) == 0);
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 60);
}
