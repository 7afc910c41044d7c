// expect: strait: cereal can't save this message type: it needs a `serialize`, or `save` and `load`.
// expect: strait: a std::shared_ptr is read as any type that a peer chooses; use std::unique_ptr in messages of CerealSerializer.
// expect: strait: a message type is listed twice in this serializer.
// expect: strait: this listener takes none of the channel's message types.
#include <strait/serializers/cereal.hpp>

#include <memory>

#include <cereal/types/memory.hpp>

#include "adapters/reject/use.hpp"

using strait::CerealSerializer;

void reject() {
  const auto listener = [](const auto&) {};
#if STRAIT_REJECT == 1
  use<CerealSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 2
  use<CerealSerializer<std::shared_ptr<int>>>(std::make_shared<int>(7), listener);
#elif STRAIT_REJECT == 3
  use<CerealSerializer<int, int>>(7, listener);
#elif STRAIT_REJECT == 4
  use<CerealSerializer<int>>(7, [](const Bare&) {});
#else
  use<CerealSerializer<std::unique_ptr<int>>>(std::make_unique<int>(7), listener);
#endif
}
