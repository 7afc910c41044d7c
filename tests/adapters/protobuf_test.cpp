#include <strait/serializers/protobuf.hpp>

#include <string>

#include "adapters/serializer_cases.hpp"
#include "directory.pb.h"
#include "required.pb.h"

using strait::ProtobufSerializer;
using strait_test::Listing;
using strait_test::Request;
using namespace strait_test;

namespace {

using Requests = ProtobufSerializer<Request>;
using Both = ProtobufSerializer<Request, Listing>;

Request request() {
  Request message;
  message.set_path("/etc/motd");
  message.set_user("ada");
  for (const int id : {1, -2, 70'000}) message.add_ids(id);
  message.set_limit(0);
  return message;
}

const auto read_all = [](const auto& message) { static_cast<void>(message.ShortDebugString()); };

/// Keeps protobuf from writing to the standard error for each string that is no UTF-8.
const auto quiet = google::protobuf::SetLogHandler(nullptr);

}  // namespace

TEST_CASE("protobuf: a message arrives as it was sent", "[adapters]") {
  go_round<Requests>(request(), [](const Request& came) {
    CHECK(came.SerializeAsString() == request().SerializeAsString());
    CHECK(came.has_limit());
  });
  Listing listing;
  listing.mutable_root()->add_entries()->set_name(std::string(100'000, 'x'));
  go_round<Both>(listing,
                 strait::overloaded{[](const Listing& came) {
                                      CHECK(came.root().entries(0).name().size() == 100'000);
                                    },
                                    [](const Request&) { FAIL(); }});
}

TEST_CASE("protobuf: bytes that are no message are malformed", "[adapters]") {
  read_garbage<Requests>(encoded<Requests>(request()), read_all);
  // A string that ends beyond the message.
  const std::vector<std::byte> cut{std::byte{0x0a}, std::byte{100}, std::byte{'x'}};
  CHECK(answer_to_garbage<Requests>(cut, read_all) == Errc::malformed);
  // Entries in each other, more than protobuf goes.
  std::string deep;
  for (int i = 0; i != 200; ++i) {
    Entry entry;
    if (!deep.empty()) REQUIRE(entry.add_entries()->ParsePartialFromString(std::string()));
    std::string outer = "\x1a";
    std::size_t size = deep.size();
    do {
      outer += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
      size >>= 7;
    } while (size != 0);
    deep = outer + deep;
  }
  CHECK(answer_to_garbage<ProtobufSerializer<Entry>>(std::as_bytes(std::span(deep)), read_all) ==
        Errc::malformed);
}

TEST_CASE("protobuf: a message without a required field is not sent", "[adapters]") {
  using Link = strait::Channel<strait::LoopbackTransport, ProtobufSerializer<Signed>>;
  auto [client, server] = Link::pair().value();
  Signed message;
  CHECK(client.send(message).failed_with(Errc::invalid_message));
  CHECK(answer_to_garbage<ProtobufSerializer<Signed>>({}, read_all) == Errc::malformed);
  message.set_by("ada");
  client.send(message).value();
  CHECK(server.wait(read_all, long_enough).value() == 1);
}
