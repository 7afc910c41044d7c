// What event loops ask of native_handle() beside messages: times, and duplicates for loops that
// close what they are given.

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/readable.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/os/posix/descriptor.hpp"
#endif

using namespace strait_test;

namespace {

template <class T>
using ImpatientLink = RawLink<T, strait::ChannelOptions{.handshake_timeout_ms = 30}>;

}  // namespace

TEMPLATE_TEST_CASE("the handle is readable when a handshake has taken too long", "[native_handle]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto name = unique_name("silent");
  const auto token = new_token();
  const auto silent = ImpatientLink<TestType>::listen(name, token).value();  // never polled
  auto client = ImpatientLink<TestType>::connect(name, token).value();
  Inbox inbox;
  // Nothing but the handle wakes it.
  strait::Result<std::size_t> polled = client.poll(inbox);
  while (polled) {
    REQUIRE(readable_within(client.native_handle(), long_enough));
    polled = client.poll(inbox);
  }
  CHECK(polled.error() == Errc::handshake_timeout);
}

#if !STRAIT_HAS_WINDOWS
TEMPLATE_TEST_CASE("a loop may have a duplicate of the handle, and close it when it likes",
                   "[native_handle]", STRAIT_TEST_TRANSPORTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  auto copy = strait::os::duplicate(pair.server.native_handle().value());
  REQUIRE(copy);
  const auto readable = [&](std::chrono::milliseconds within) {
    return readable_within(copy.get(), within);
  };
  const auto drain = [&] {
    while (pair.server.poll(pair.at_server).value() != 0) {
    }
  };
  for (std::size_t round = 1; round != 4; ++round) {
    REQUIRE(pair.client.send(pattern(100)));
    REQUIRE(pair.client.flush(long_enough));
    while (pair.at_server.messages.size() != round) {
      REQUIRE(readable(long_enough));
      drain();
    }
    CHECK_FALSE(readable(0ms));
  }
  SECTION("before the channel's end, which goes on") {
    copy.reset();
    REQUIRE(pair.client.send(pattern(100)));
    CHECK(pair.deliver_to_server(4));
  }
  SECTION("after it") {
    pair.client.close();
    REQUIRE(readable(long_enough));
    const auto gone = std::move(pair.server);
  }
}
#endif
