#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "strait/serializer.hpp"

namespace strait {

namespace detail {

/// A string, a vector or a view of characters or of other single bytes; not a literal, of which it
/// is not plain whether its end belongs to it.
template <class T>
concept BytesLike = requires(const T& message) {
  {*message.data()};
  { message.size() } -> std::convertible_to<std::size_t>;
  requires sizeof(*message.data()) == 1;
  requires std::is_trivially_copyable_v<std::remove_reference_t<decltype(*message.data())>>;
};

}  // namespace detail

/// Messages are bytes. Sends whatever converts to `std::span<const std::byte>`, and strings,
/// vectors and views of characters; the listener gets a `std::span<const std::byte>` that ends with
/// the call.
struct RawSerializer {
  using Bytes = std::span<const std::byte>;

  static constexpr std::uint64_t schema_hash = 0x7261'775f'6279'7465;

  template <class Message>
  static constexpr bool accepts =
      std::convertible_to<const Message&, Bytes> || detail::BytesLike<Message>;

  static std::uint16_t tag(Bytes) { return 0; }
  static std::size_t size(Bytes message) { return message.size(); }
  static void write(Bytes message, std::byte* out) {
    if (!message.empty()) std::memcpy(out, message.data(), message.size());
  }
  static Bytes bytes(Bytes message) { return message; }

  template <class Message>
  static Bytes bytes(const Message& message) {
    if constexpr (std::convertible_to<const Message&, Bytes>) {
      return message;
    } else {
      return std::as_bytes(std::span(message.data(), message.size()));
    }
  }
  template <class Message>
  static std::uint16_t tag(const Message&) {
    return 0;
  }
  template <class Message>
  static std::size_t size(const Message& message) {
    return bytes(message).size();
  }
  template <class Message>
  static void write(const Message& message, std::byte* out) {
    write(Bytes(bytes(message)), out);
  }

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
