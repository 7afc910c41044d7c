#include <strait/serializers/protobuf.hpp>

#include "directory.pb.h"
#include "fuzz/adapters/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  static const auto quiet = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(quiet);
  using strait_test::Listing;
  using strait_test::Request;
  if (size == 0) return 0;
  const auto bytes = input(data + 1, size - 1);
  data[0] % 2 == 0 ? read_and_send_on<strait::ProtobufSerializer<Request>, Request>(bytes)
                   : read_and_send_on<strait::ProtobufSerializer<Listing>, Listing>(bytes);
  return 0;
}
