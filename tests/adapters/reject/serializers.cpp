// expect: strait: ProtobufSerializer takes the classes that protoc makes of a .proto file.
// expect: strait: FlatBuffersSerializer takes tables, as flatc makes them of a .fbs file.
// expect: strait: CapnpSerializer takes structs, as capnp makes them of a .capnp file.
// expect: strait: a message type of MsgpackSerializer has MSGPACK_DEFINE in it, or strait::msgpack_adapted says that msgpack knows it.
// expect: strait: cereal can't save this message type: it needs a `serialize`, or `save` and `load`.
// expect: strait: a std::shared_ptr is read as any type that a peer chooses; use std::unique_ptr in messages of CerealSerializer.
// expect: strait: the channel's serializer does not know this type of message.
// expect: strait: a message type is listed twice in this serializer.
// expect: strait: this listener takes none of the channel's message types.
#ifndef STRAIT_REJECT
#define STRAIT_REJECT 0
#endif

// Each library by itself, since together they would take long.
#if STRAIT_REJECT == 1
#include <strait/serializers/protobuf.hpp>
#elif STRAIT_REJECT == 2
#include <strait/serializers/flatbuffers.hpp>
#elif STRAIT_REJECT == 3
#include <strait/serializers/capnproto.hpp>
#elif STRAIT_REJECT == 4
#include <strait/serializers/msgpack.hpp>
#elif STRAIT_REJECT == 7
#include <strait/serializers/json.hpp>
#else
#include <cereal/types/memory.hpp>
#include <strait/serializers/cereal.hpp>
#endif
#include <strait/strait.hpp>

struct Bare {
  int* pointer = nullptr;
};

template <class Serializer, class Message, class Listener>
void use(const Message& message, Listener listener) {
  auto [a, b] = strait::Channel<strait::LoopbackTransport, Serializer>::pair().value();
  static_cast<void>(a.send(message));
  static_cast<void>(b.poll(listener));
}

void reject() {
  const auto listener = [](const auto&) {};
#if STRAIT_REJECT == 1
  use<strait::ProtobufSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 2
  use<strait::FlatBuffersSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 3
  use<strait::CapnpSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 4
  use<strait::MsgpackSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 5
  use<strait::CerealSerializer<Bare>>(Bare(), listener);
#elif STRAIT_REJECT == 6
  use<strait::CerealSerializer<std::shared_ptr<int>>>(std::make_shared<int>(7), listener);
#elif STRAIT_REJECT == 7
  use<strait::JsonSerializer>(Bare(), listener);
#elif STRAIT_REJECT == 8
  use<strait::CerealSerializer<int, int>>(7, listener);
#elif STRAIT_REJECT == 9
  use<strait::CerealSerializer<int>>(7, [](const Bare&) {});
#else
  use<strait::CerealSerializer<std::unique_ptr<int>>>(std::make_unique<int>(7), listener);
#endif
}
