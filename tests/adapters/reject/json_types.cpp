// expect: strait: the channel's serializer does not know this type of message.
#include <strait/serializers/json.hpp>

#include "adapters/reject/use.hpp"

void reject() {
#if STRAIT_REJECT == 1
  use<strait::JsonSerializer>(Bare(), [](const auto&) {});
#endif
}
