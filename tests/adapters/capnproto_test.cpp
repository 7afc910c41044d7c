#include <strait/serializers/capnproto.hpp>

#include <cstdint>
#include <string>

#include "adapters/serializer_cases.hpp"
#include "directory.capnp.h"

using strait::CapnpMessage;
using strait::CapnpSerializer;
using namespace strait_test;

namespace {

using Requests = CapnpSerializer<packed::Request>;
using Both = CapnpSerializer<packed::Request, packed::Entry>;

void fill(packed::Request::Builder request) {
  request.setPath("/etc/motd");
  request.setUser("ada");
  auto ids = request.initIds(3);
  ids.set(0, 1);
  ids.set(1, -2);
  ids.set(2, 70'000);
  request.setLimit(7);
}

const auto read_all = [](packed::Request::Reader message) {
  std::uint64_t sum = message.getLimit() + message.getPath().size() + message.getUser().size();
  for (const auto id : message.getIds()) sum += static_cast<std::uint64_t>(id);
  volatile std::uint64_t kept = sum;
  static_cast<void>(kept);
};

}  // namespace

TEST_CASE("capnproto: a message arrives as it was sent", "[adapters]") {
  CapnpMessage<packed::Request> message;
  fill(message.root());
  go_round<Requests>(message, [](packed::Request::Reader came) {
    CHECK(came.getPath() == "/etc/motd");
    CHECK(came.getIds()[1] == -2);
    CHECK(came.getLimit() == 7);
  });
  // Of several segments.
  CapnpMessage<packed::Entry> large;
  auto entries = large.root().initEntries(1000);
  for (unsigned i = 0; i != 1000; ++i) entries[i].setName(std::string(50, 'x'));
  go_round<Both>(large, strait::overloaded{[](packed::Entry::Reader came) {
                                             CHECK(came.getEntries().size() == 1000);
                                             CHECK(came.getEntries()[999].getName().size() == 50);
                                           },
                                           [](packed::Request::Reader) { FAIL(); }});
}

TEST_CASE("capnproto: bytes that are no message are malformed", "[adapters]") {
  CapnpMessage<packed::Request> message;
  fill(message.root());
  read_garbage<Requests>(encoded<Requests>(message), read_all);
  CHECK(answer_to_garbage<Requests>({}, read_all) == Errc::malformed);
}

TEST_CASE("capnproto: what the listener throws itself is its own", "[adapters]") {
  CapnpMessage<packed::Request> message;
  const auto bytes = encoded<Requests>(message);
  const auto throws = [](packed::Request::Reader) { throw 7; };
  CHECK_THROWS_AS(read<Requests>(bytes, throws), int);
}
