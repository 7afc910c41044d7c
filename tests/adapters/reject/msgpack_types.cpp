// expect: strait: a message type of MsgpackSerializer has MSGPACK_DEFINE in it, or strait::msgpack_adapted says that msgpack knows it.
#include <strait/serializers/msgpack.hpp>

#include "adapters/reject/use.hpp"

void reject() {
#if STRAIT_REJECT == 1
  use<strait::MsgpackSerializer<Bare>>(Bare(), [](const auto&) {});
#endif
}
