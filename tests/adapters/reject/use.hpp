#pragma once

#include <strait/channel.hpp>
#include <strait/transports/loopback.hpp>

/// Not a message of any serializer's.
struct Bare {
  int* pointer = nullptr;
};

template <class Serializer, class Message, class Listener>
void use(const Message& message, Listener listener) {
  auto [a, b] = strait::Channel<strait::LoopbackTransport, Serializer>::pair().value();
  static_cast<void>(a.send(message));
  static_cast<void>(b.poll(listener));
}
