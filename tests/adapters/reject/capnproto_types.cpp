// expect: strait: CapnpSerializer takes structs, as capnp makes them of a .capnp file.
#include <strait/serializers/capnproto.hpp>

#include "adapters/reject/use.hpp"

void reject() {
#if STRAIT_REJECT == 1
  use<strait::CapnpSerializer<Bare>>(Bare(), [](const auto&) {});
#endif
}
