// expect: strait: ProtobufSerializer takes the classes that protoc makes of a .proto file.
#include <strait/serializers/protobuf.hpp>

#include "adapters/reject/use.hpp"

void reject() {
#if STRAIT_REJECT == 1
  use<strait::ProtobufSerializer<Bare>>(Bare(), [](const auto&) {});
#endif
}
