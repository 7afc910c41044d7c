#include <strait/serializers/cereal.hpp>

#include <array>
#include <cereal/types/array.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/serializer_cases.hpp"

using strait::CerealSerializer;
using namespace strait_test;

namespace cereal_test {

struct Request {
  std::string path;
  std::vector<std::int32_t> ids;
  std::map<std::string, double> limits;
  std::optional<bool> urgent;
  std::array<bool, 3> flags{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(path, ids, limits, urgent, flags);
  }
  bool operator==(const Request&) const = default;
};
struct Node {
  int value = 0;
  std::vector<Node> children;
  std::unique_ptr<Node> next;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(value), children, next);
  }
};
/// A class whose functions stand beside it.
struct Word {
  std::string text;
};
template <class Archive>
void save(Archive& archive, const Word& word) {
  archive(word.text);
}
template <class Archive>
void load(Archive& archive, Word& word) {
  archive(word.text);
}

using Requests = CerealSerializer<Request>;
using Nodes = CerealSerializer<Node>;

Request request() { return {"/etc/motd", {1, -2, 70'000}, {{"soft", 0.5}}, true, {true, false}}; }

std::vector<std::byte> count(std::uint64_t value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

const auto drop = [](const auto&) {};

TEST_CASE("cereal: a message arrives as it was sent", "[adapters]") {
  go_round<Requests>(request(), [](const Request& came) { CHECK(came == request()); });
  const Word word{std::string(100'000, 'x')};
  go_round<CerealSerializer<Request, Word>>(
      word, strait::overloaded{[&](const Word& came) { CHECK(came.text == word.text); },
                               [](const Request&) { FAIL(); }});
  Node tree;
  tree.children.resize(2);
  tree.next = std::make_unique<Node>();
  tree.next->value = 9;
  go_round<Nodes>(tree, [](const Node& came) {
    CHECK(came.children.size() == 2);
    CHECK(came.next->value == 9);
  });
}

TEST_CASE("cereal: bytes that are no message are malformed", "[adapters]") {
  read_garbage<Requests>(encoded<Requests>(request()), drop);
  Node tree;
  tree.children.resize(2);
  tree.next = std::make_unique<Node>();
  read_garbage<Nodes>(encoded<Nodes>(tree), drop);

  // A string of 2^63 characters; of all that there can be, and one more.
  CHECK(answer_to_garbage<Requests>(count(std::uint64_t{1} << 63), drop) == Errc::malformed);
  CHECK(answer_to_garbage<Requests>(count(std::numeric_limits<std::uint64_t>::max()), drop) ==
        Errc::malformed);
  CHECK(answer_to_garbage<Requests>(count(9), drop) == Errc::malformed);
  // Something behind it.
  auto longer = encoded<Requests>(request());
  longer.push_back(std::byte{1});
  CHECK(answer_to_garbage<Requests>(longer, drop) == Errc::malformed);
  // A bool of 2, in an array that is copied as a whole.
  auto wrong = encoded<Requests>(request());
  wrong.back() = std::byte{2};
  CHECK(answer_to_garbage<Requests>(wrong, drop) == Errc::malformed);
}

TEST_CASE("cereal: depth is bounded, both ways", "[adapters]") {
  // Nodes each of which has one child.
  std::vector<std::byte> deep;
  for (int i = 0; i != 500'000; ++i) {
    deep.resize(deep.size() + sizeof(int));
    const auto one = count(1);
    deep.insert(deep.end(), one.begin(), one.end());
  }
  CHECK(answer_to_garbage<Nodes>(deep, drop) == Errc::malformed);

  Node chain;
  for (int i = 0; i != 300; ++i) {
    Node outer;
    outer.children.push_back(std::move(chain));
    chain = std::move(outer);
  }
  auto [client, server] = strait::Channel<strait::LoopbackTransport, Nodes>::pair().value();
  CHECK(client.send(chain).failed_with(Errc::invalid_message));
  client.send(Node()).value();
  CHECK(server.wait(drop, long_enough).value() == 1);
}

}  // namespace cereal_test
