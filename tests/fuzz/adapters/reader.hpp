#pragma once

// What the targets for serializers' adapters have in common: whatever arrives is a value or
// malformed, no exception comes out, and a value can be sent on and arrives as what it was.

#include <strait/memory/encode_buffer.hpp>
#include <strait/serializer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz/input.hpp"

namespace strait_fuzz {

template <class SerializerT, class Listener>
bool read(std::span<const std::byte> bytes, Listener listener) {
  // A copy that ends where the bytes end.
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const auto result = SerializerT::read(0, copy, listener);
  require(result || result.failed_with(strait::Errc::malformed), "a value, or malformed");
  return result.has_value();
}

template <class SerializerT, class Message>
std::vector<std::byte> written(const Message& message) {
  if constexpr (strait::detail::EncodesMessage<SerializerT, Message>) {
    strait::detail::Encoder encoder;
    const auto bytes = encoder.encode<SerializerT>(message, std::size_t{1} << 30);
    require(bytes.has_value(), "what was read can be sent");
    return {bytes->begin(), bytes->end()};
  } else {
    std::vector<std::byte> bytes(SerializerT::size(message));
    SerializerT::write(message, bytes.data());
    return bytes;
  }
}

/// Reads a message of which the listener gets a `const Message&`.
template <class SerializerT, class Message>
void read_and_send_on(std::span<const std::byte> bytes) {
  read<SerializerT>(bytes, [](const Message& message) {
    const auto once = written<SerializerT>(message);
    bool came = false;
    const auto again = [&](const Message& second) {
      came = true;
      require(written<SerializerT>(second) == once, "what is sent on arrives as it was");
    };
    require(read<SerializerT>(once, again) && came, "what is sent on is a message");
  });
}

inline std::span<const std::byte> input(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

}  // namespace strait_fuzz
