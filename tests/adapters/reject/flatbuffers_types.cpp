// expect: strait: FlatBuffersSerializer takes tables, as flatc makes them of a .fbs file.
#include <strait/serializers/flatbuffers.hpp>

#include "adapters/reject/use.hpp"

void reject() {
#if STRAIT_REJECT == 1
  use<strait::FlatBuffersSerializer<Bare>>(Bare(), [](const auto&) {});
#endif
}
