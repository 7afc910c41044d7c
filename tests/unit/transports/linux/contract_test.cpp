// What the contracts ask for is enough: the least transport with the least serializer is a channel,
// and has none of what is optional.

#include <strait/channel.hpp>
#include <strait/transports/socket.hpp>

#include <chrono>
#include <cstddef>

#include "support/archetypes.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using namespace strait_test;

namespace {
using Least = LeastTransport<strait::SocketTransport>;
static_assert(strait::Transport<Least>);
static_assert(!strait::Inheritable<Least>);
static_assert(!strait::CarriesRights<Least>);
static_assert(!strait::PassesEnds<Least>);
static_assert(strait::SerializerOf<LeastSerializer, LeastSerializer::Message>);
static_assert(!strait::Serializer<LeastSerializer::Message>);
static_assert(!strait::Transport<LeastSerializer>);
}  // namespace

TEST_CASE("the least transport and the least serializer are a channel", "[contract]") {
  using Link = strait::Channel<Least, LeastSerializer>;
  const auto token = strait::Token::generate().value();
  const auto name = unique_name("least");
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  std::byte heard{};
  const auto listener = [&](const LeastSerializer::Message& message) { heard = message.value; };
  REQUIRE(client.send(LeastSerializer::Message{std::byte{7}}));
  for (int i = 0; i != 100 && heard == std::byte{}; ++i) {
    REQUIRE(client.poll(listener));
    REQUIRE(server.wait(listener, std::chrono::milliseconds{100}));
  }
  CHECK(heard == std::byte{7});
}
