#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "strait/result.hpp"

namespace strait::detail {

/// A listener of this kind gets messages as they came, by `take(tag, bytes)`, for a serializer to
/// read later and elsewhere.
struct FrameSink {};

/// Gives a message to a listener.
template <class SerializerT, class Listener>
Result<void> deliver(std::uint16_t tag, std::span<const std::byte> bytes, Listener& listener) {
  if constexpr (std::derived_from<Listener, FrameSink>) {
    return listener.take(tag, bytes);
  } else {
    return SerializerT::read(tag, bytes, listener);
  }
}

}  // namespace strait::detail
