#include <strait/serializers/cereal.hpp>

#include <cereal/types/array.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fuzz/adapters/reader.hpp"

namespace {

struct Node {
  std::string name;
  std::vector<std::uint16_t> numbers;
  std::vector<bool> bits;
  std::map<std::uint8_t, std::string> named;
  std::optional<bool> flag;
  std::array<bool, 2> pair{};
  std::variant<std::uint8_t, std::string> variant;
  std::vector<Node> children;
  std::unique_ptr<Node> next;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, numbers, bits, named, flag, pair, variant, children, next);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  read_and_send_on<strait::CerealSerializer<Node>, Node>(input(data, size));
  return 0;
}
