#pragma once

// What the tests of all serializers' adapters do.

#include <strait/answering.hpp>
#include <strait/caller.hpp>
#include <strait/channel.hpp>
#include <strait/memory/encode_buffer.hpp>
#include <strait/overloaded.hpp>
#include <strait/transports/loopback.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/socket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace strait_test {

using namespace std::chrono_literals;
using strait::Errc;

/// How long a test waits for what must come.
inline constexpr auto long_enough = 40s;

/// The bytes of a message as they travel.
template <class SerializerT, class Message>
std::vector<std::byte> encoded(const Message& message) {
  if constexpr (strait::detail::EncodesMessage<SerializerT, Message>) {
    strait::detail::Encoder encoder;
    const auto bytes = encoder.encode<SerializerT>(message, std::size_t{1} << 24).value();
    return {bytes.begin(), bytes.end()};
  } else {
    std::vector<std::byte> bytes(SerializerT::size(message));
    SerializerT::write(message, bytes.data());
    return bytes;
  }
}

/// Reads a copy of the bytes that ends where they end, so that a sanitizer sees what reads beyond.
template <class SerializerT, class Listener>
strait::Result<void> read(std::span<const std::byte> bytes, Listener& listener,
                          std::uint16_t tag = 0) {
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  return SerializerT::read(tag, copy, listener);
}

template <class SerializerT, class Listener>
void expect_a_value_or_an_error(std::span<const std::byte> bytes, Listener& listener) {
  const auto result = read<SerializerT>(bytes, listener);
  const bool expected = result || result.failed_with(Errc::malformed);
  CHECK(expected);
}

/// All beginnings of a message, each of its bytes changed in some ways, and bytes at random.
/// `listener` reads everything of a message that it gets.
template <class SerializerT, class Listener>
void read_garbage(const std::vector<std::byte>& good, Listener listener) {
  for (std::size_t size = 0; size != good.size(); ++size) {
    expect_a_value_or_an_error<SerializerT>(std::span(good).first(size), listener);
  }
  auto changed = good;
  for (std::size_t at = 0; at != good.size(); ++at) {
    for (const int change : {0x01, 0x04, 0x40, 0x7f, 0x80, 0xff}) {
      changed[at] = good[at] ^ static_cast<std::byte>(change);
      expect_a_value_or_an_error<SerializerT>(changed, listener);
    }
    changed[at] = good[at];
  }
  std::mt19937 random(17);
  for (int i = 0; i != 2000; ++i) {
    std::vector<std::byte> bytes(random() % 200);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    expect_a_value_or_an_error<SerializerT>(bytes, listener);
  }
  CHECK(read<SerializerT>(good, listener, 77).failed_with(Errc::malformed));
}

/// Calls with the message, is answered with it, and has `check` look at both.
template <class TransportT, class SerializerT, class Message, class Check>
void call_and_answer(const Message& message, Check check) {
  using Link = strait::Channel<TransportT, strait::Calls<SerializerT>>;
  auto [client, server] = Link::pair().value();
  strait::Caller caller(std::move(client));
  int came = 0;
  auto answers = strait::answering(server, [&](const auto& received, auto reply) {
    check(received);
    ++came;
    reply.send(message).value();
  });
  const auto handler = strait::overloaded{[&](const auto& received) {
                                            check(received);
                                            ++came;
                                          },
                                          [](std::error_code why) { FAIL(why.message()); }};
  for (int i = 0; i != 3; ++i) caller.call(message, long_enough, handler).value();
  while (came != 6) {
    static_cast<void>(server.wait(answers, 1ms).value());
    static_cast<void>(caller.wait(1ms).value());
  }
  CHECK(caller.calls_under_way() == 0);
}

/// Sends the message over several transports, as a call and its reply, too, and has `check` look at what arrives.
template <class SerializerT, class Message, class Check>
void go_round(const Message& message, Check check) {
  const auto over = [&](auto transport) {
    using Link = strait::Channel<typename decltype(transport)::type, SerializerT>;
    auto [client, server] = Link::pair().value();
    for (int i = 0; i != 3; ++i) client.send(message).value();
    int came = 0;
    const auto listener = [&](const auto& received) {
      check(received);
      ++came;
    };
    while (came != 3) {
      REQUIRE(server.wait(listener, 1s).has_value());
      static_cast<void>(client.poll(listener).value());  // sends what has found no room
    }
    call_and_answer<typename decltype(transport)::type, SerializerT>(message, check);
  };
  over(std::type_identity<strait::LoopbackTransport>());
  over(std::type_identity<strait::SocketTransport>());
  if constexpr (strait::PassesEnds<strait::MachTransport<>>) {
    over(std::type_identity<strait::MachTransport<>>());
  }
}

/// What a peer with this serializer does with bytes that are none of its messages.
template <class SerializerT, class Listener>
strait::Errc answer_to_garbage(std::span<const std::byte> bytes, Listener listener) {
  const auto result = read<SerializerT>(bytes, listener);
  return result ? Errc{} : strait::errc(result.error());
}

}  // namespace strait_test
