#include <strait/serializers/msgpack.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/adapters/reader.hpp"

namespace {

struct Node {
  std::string name;
  std::vector<std::int64_t> numbers;
  std::map<std::string, std::int16_t> named;
  std::optional<bool> flag;
  std::array<std::int16_t, 2> pair{};
  std::vector<Node> children;
  MSGPACK_DEFINE(name, numbers, named, flag, pair, children)
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  read_and_send_on<strait::MsgpackSerializer<Node>, Node>(input(data, size));
  return 0;
}
