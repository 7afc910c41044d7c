#include <strait/serializers/msgpack.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/serializer_cases.hpp"

using strait::MsgpackSerializer;
using namespace strait_test;

namespace {

struct Request {
  std::string path;
  std::vector<std::int32_t> ids;
  std::map<std::string, double> limits;
  bool urgent = false;
  MSGPACK_DEFINE(path, ids, limits, urgent)

  bool operator==(const Request&) const = default;
};
struct Node {
  int value = 0;
  std::vector<Node> children;
  MSGPACK_DEFINE_MAP(value, children)

  bool operator==(const Node&) const = default;
};
using Requests = MsgpackSerializer<Request>;
using Nodes = MsgpackSerializer<Node>;

Request request() { return {"/etc/motd", {1, -2, 70'000}, {{"soft", 0.5}}, true}; }

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> all;
  for (const int value : values) all.push_back(static_cast<std::byte>(value));
  return all;
}

const auto drop = [](const auto&) {};

}  // namespace

template <>
inline constexpr bool strait::msgpack_adapted<std::vector<std::string>> = true;

TEST_CASE("msgpack: a message arrives as it was sent", "[adapters]") {
  go_round<Requests>(request(), [](const Request& came) { CHECK(came == request()); });
  const Node tree{1, {{2, {}}, {3, {{4, {}}}}}};
  go_round<MsgpackSerializer<Request, Node>>(
      tree, strait::overloaded{[&](const Node& came) { CHECK(came == tree); },
                               [](const Request&) { FAIL(); }});
  const std::vector<std::string> words{"a", std::string(100'000, 'x')};
  go_round<MsgpackSerializer<std::vector<std::string>>>(
      words, [&](const std::vector<std::string>& came) { CHECK(came == words); });
}

TEST_CASE("msgpack: bytes that are no message are malformed", "[adapters]") {
  read_garbage<Requests>(encoded<Requests>(request()), drop);
  read_garbage<Nodes>(encoded<Nodes>(Node{1, {{2, {}}}}), drop);
  CHECK(answer_to_garbage<Requests>(bytes({}), drop) == Errc::malformed);
  // A list and a map of 2^32 - 1 elements that are not there: no memory is taken for them.
  CHECK(answer_to_garbage<Requests>(bytes({0xdd, 255, 255, 255, 255, 1}), drop) == Errc::malformed);
  CHECK(answer_to_garbage<Requests>(bytes({0xdf, 255, 255, 255, 255, 1}), drop) == Errc::malformed);
  // Something else than a Request, and something behind one.
  CHECK(answer_to_garbage<Requests>(bytes({0x01}), drop) == Errc::malformed);
  auto longer = encoded<Requests>(request());
  longer.push_back(std::byte{1});
  CHECK(answer_to_garbage<Requests>(longer, drop) == Errc::malformed);
}

TEST_CASE("msgpack: depth is bounded", "[adapters]") {
  const std::vector<std::byte> deep(8'000'000, std::byte{0x91});
  CHECK(answer_to_garbage<Nodes>(deep, drop) == Errc::malformed);
}

TEST_CASE("msgpack: lists in lists may not claim more than there is", "[adapters]") {
  // Each says that it has as many elements as the message has bytes.
  std::vector<std::byte> message;
  for (int i = 0; i != 50; ++i) {
    const auto list = bytes({0xdd, 0, 0x0f, 0xff, 0xff});
    message.insert(message.end(), list.begin(), list.end());
  }
  message.resize(0xfffff + 1000);
  CHECK(answer_to_garbage<Nodes>(message, drop) == Errc::malformed);
}
