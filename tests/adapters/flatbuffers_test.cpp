#include <strait/serializers/flatbuffers.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/serializer_cases.hpp"
#include "directory_generated.h"

using strait::FlatBufferInPlace;
using strait::FlatBufferMessage;
using strait::FlatBuffersSerializer;
using namespace strait_test;

namespace {

using Requests = FlatBuffersSerializer<flat::Request>;
using Both = FlatBuffersSerializer<flat::Request, flat::Image>;

FlatBufferMessage<flat::Request> request() {
  FlatBufferMessage<flat::Request> message;
  const std::vector<std::int32_t> ids{1, -2, 70'000};
  message.finish(flat::CreateRequestDirect(message.builder(), "/etc/motd", "ada", &ids, 7));
  return message;
}

const auto read_all = [](const flat::Request& message) {
  std::uint64_t sum = message.limit() ? *message.limit() : 0;
  if (message.path() != nullptr) sum += message.path()->str().size();
  if (message.user() != nullptr) sum += message.user()->str().size();
  if (message.ids() != nullptr) {
    for (const std::int32_t id : *message.ids()) sum += static_cast<std::uint64_t>(id);
  }
  volatile std::uint64_t kept = sum;
  static_cast<void>(kept);
};

/// An image of so many pixels, written where it will be read.
void build_image(FlatBufferInPlace<flat::Image>& message, std::size_t room, std::size_t pixels) {
  std::uint8_t* place = nullptr;
  const auto vector = message.builder().CreateUninitializedVector(pixels, 1, &place);
  for (std::size_t i = 0; i != pixels; ++i) place[i] = static_cast<std::uint8_t>(i);
  const auto finished = message.finish(flat::CreateImage(message.builder(), vector));
  CHECK(finished.has_value() == (pixels < room));
}

void check(const flat::Image& came, std::size_t pixels) {
  REQUIRE(came.pixels()->size() == pixels);
  for (std::size_t i = 0; i != pixels; ++i) {
    if (came.pixels()->Get(static_cast<flatbuffers::uoffset_t>(i)) !=
        static_cast<std::uint8_t>(i)) {
      FAIL("pixel " << i);
    }
  }
}

template <class TransportT>
  requires strait::PassesEnds<TransportT>
void send_in_place() {
  using Link = strait::Channel<TransportT, Both>;
  auto [client, server] = Link::pair().value();
  const std::byte* built_at = nullptr;
  for (const std::size_t room : {std::size_t{1} << 20, std::size_t{1'000'001}}) {
    FlatBufferInPlace<flat::Image> message(client.out_of_line_bytes(room).value());
    build_image(message, room, 900'000);
    built_at = message.bytes().data();
    CHECK(message.finished());
    client.send(std::move(message)).value();
    CHECK(!message.finished());  // NOLINT: it says so itself
    int came = 0;
    const auto listener = strait::overloaded{[&](const flat::Image& received) {
                                               check(received, 900'000);
                                               ++came;
                                             },
                                             [](const flat::Request&) { FAIL(); }};
    while (came == 0) {
      REQUIRE(server.wait(listener, 1s).has_value());
      static_cast<void>(client.poll(listener).value());  // sends what has found no room
    }
  }
  CHECK(built_at != nullptr);
  // One that has outgrown its room is not sent.
  FlatBufferInPlace<flat::Image> large(client.out_of_line_bytes(1000).value());
  build_image(large, 1000, 5000);
  CHECK(client.send(std::move(large)).failed_with(Errc::invalid_message));
}

/// Not every system's transport has pairs of ends.
template <class TransportT>
void send_in_place() {}

}  // namespace

TEST_CASE("flatbuffers: a message arrives as it was sent", "[adapters]") {
  go_round<Requests>(request(), [](const flat::Request& came) {
    CHECK(came.path()->str() == "/etc/motd");
    CHECK(came.ids()->Get(1) == -2);
    CHECK(came.limit() == 7u);
  });
}

TEST_CASE("flatbuffers: a message is read where it was built", "[adapters]") {
  send_in_place<strait::LoopbackTransport>();
  send_in_place<strait::SocketTransport>();
  send_in_place<strait::MachTransport<>>();
  send_in_place<strait::MachTransport<strait::OolThreshold<4096>>>();
  send_in_place<strait::MachTransport<strait::OolThreshold<4096, strait::LoanUpTo<(4 << 20)>>>>();
}

TEST_CASE("flatbuffers: bytes that are no message are malformed", "[adapters]") {
  read_garbage<Requests>(encoded<Requests>(request()), read_all);
  CHECK(answer_to_garbage<Requests>({}, read_all) == Errc::malformed);
}

TEST_CASE("flatbuffers: a message that is not finished is not sent", "[adapters]") {
  using Link = strait::Channel<strait::LoopbackTransport, Requests>;
  auto [client, server] = Link::pair().value();
  FlatBufferMessage<flat::Request> message;
  CHECK(client.send(message).failed_with(Errc::invalid_message));
  CHECK(client.send(FlatBufferInPlace<flat::Request>(strait::OutOfLineBytes()))
            .failed_with(Errc::invalid_message));
  message.finish(flat::CreateRequest(message.builder()));
  client.send(message).value();
  message.clear();
  CHECK(client.send(message).failed_with(Errc::invalid_message));
  CHECK(server.wait(read_all, long_enough).value() == 1);
}
