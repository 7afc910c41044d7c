#include <strait/serializers/json.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "adapters/serializer_cases.hpp"

using nlohmann::json;
using strait::JsonSerializer;
using namespace strait_test;

namespace {

json request() {
  return {{"path", "/etc/motd"},
          {"ids", {1, -2, 3000000000, 0.5}},
          {"limit", nullptr},
          {"deep", {{"yes", true}, {"bytes", json::binary({1, 2, 255})}}},
          {"empty", json::object()}};
}

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> all;
  for (const int value : values) all.push_back(static_cast<std::byte>(value));
  return all;
}

const auto read_all = [](const json& message) {
  static_cast<void>(message.dump(-1, ' ', true, json::error_handler_t::replace));
};

}  // namespace

TEST_CASE("json: a value arrives as it was sent", "[adapters]") {
  go_round<JsonSerializer>(request(), [](const json& came) { CHECK(came == request()); });
  go_round<JsonSerializer>(json(7), [](const json& came) { CHECK(came == 7); });
  const json large = std::string(100'000, 'x');
  go_round<JsonSerializer>(large, [&](const json& came) { CHECK(came == large); });
}

TEST_CASE("json: bytes that are no value are malformed", "[adapters]") {
  read_garbage<JsonSerializer>(encoded<JsonSerializer>(request()), read_all);
  CHECK(answer_to_garbage<JsonSerializer>(bytes({}), read_all) == Errc::malformed);
  // Something behind the value.
  CHECK(answer_to_garbage<JsonSerializer>(bytes({0x01, 0x01}), read_all) == Errc::malformed);
  // A list that says that it has 2^63 elements, and one of 2^32 strings.
  CHECK(answer_to_garbage<JsonSerializer>(bytes({0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0}), read_all) ==
        Errc::malformed);
  CHECK(answer_to_garbage<JsonSerializer>(bytes({0x9a, 255, 255, 255, 255, 0x61, 'a'}), read_all) ==
        Errc::malformed);
  // A key twice.
  CHECK(answer_to_garbage<JsonSerializer>(bytes({0xa2, 0x61, 'a', 1, 0x61, 'a', 2}), read_all) ==
        Errc::malformed);
}

TEST_CASE("json: depth is bounded, both ways", "[adapters]") {
  json deep = 1;
  for (int i = 0; i != 64; ++i) deep = json::array({deep});
  const auto good = encoded<JsonSerializer>(deep);
  CHECK(answer_to_garbage<JsonSerializer>(good, read_all) == Errc{});

  auto [client, server] =
      strait::Channel<strait::LoopbackTransport, JsonSerializer>::pair().value();
  CHECK(client.send(json::array({deep})).failed_with(Errc::invalid_message));
  client.send(deep).value();
  CHECK(server.wait(read_all, long_enough).value() == 1);

  // Deeper than any stack.
  const std::vector<std::byte> deeper(8'000'000, std::byte{0x81});
  CHECK(answer_to_garbage<JsonSerializer>(deeper, read_all) == Errc::malformed);
}

TEST_CASE("json: a value over the channel's limit is not sent", "[adapters]") {
  constexpr strait::ChannelOptions small{.max_message_bytes = 1000};
  using Link = strait::Channel<strait::LoopbackTransport, JsonSerializer, small>;
  auto [client, server] = Link::pair().value();
  CHECK(client.send(json(std::string(2000, 'x'))).failed_with(Errc::message_too_large));
  client.send(json(1)).value();
  CHECK(server.wait(read_all, long_enough).value() == 1);
}
