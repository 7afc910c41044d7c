#include <strait/serializers/json.hpp>

#include "fuzz/adapters/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  read_and_send_on<strait::JsonSerializer, nlohmann::json>(input(data, size));
  return 0;
}
