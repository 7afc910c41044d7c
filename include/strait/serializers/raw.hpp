#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/serializer.hpp"

namespace strait {

/// Messages are bytes. Sends whatever converts to `std::span<const std::byte>`; the listener gets a
/// `std::span<const std::byte>` that ends with the call.
struct RawSerializer {
  using Bytes = std::span<const std::byte>;

  static constexpr std::uint64_t schema_hash = 0x7261'775f'6279'7465;

  template <class Message>
  static constexpr bool accepts = std::convertible_to<const Message&, Bytes>;

  static std::uint16_t tag(Bytes) { return 0; }
  static std::size_t size(Bytes message) { return message.size(); }
  static void write(Bytes message, std::byte* out) {
    if (!message.empty()) std::memcpy(out, message.data(), message.size());
  }
  static Bytes bytes(Bytes message) { return message; }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, Bytes bytes, Listener& listener) {
    static_assert(std::invocable<Listener&, Bytes>,
                  "strait: the listener of a raw channel takes a std::span<const std::byte>.");
    if (tag != 0) return Errc::malformed;
    listener(bytes);
    return {};
  }
};

}  // namespace strait
