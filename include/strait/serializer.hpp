#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "strait/result.hpp"

namespace strait {

/// How messages become bytes, and bytes messages. A serializer has no state; all its functions are
/// static.
///
///   S1  `schema_hash`: differs whenever two builds would not understand each other.
///   S2  `accepts<M>`: whether an `M` can be sent.
///   S3  `tag(message)`: a small number that travels beside the bytes and comes back in `read`.
///   S4  `size(message)`: how many bytes `write` will write; a `std::integral_constant` when that
///       is known from the type, so that the way the message takes can be chosen by the compiler.
///   S5  `write(message, out)`: writes just these bytes, never reads `out` (a hostile process may
///       see and change it), never writes what was not in the message (padding).
///   S6  optional, `bytes(message)`: the same bytes, where they lie in the message already.
///   S7  `read(tag, bytes, listener)`: calls the listener with the message that lies in `bytes`,
///       which may be anything that a hostile peer makes up. Errors: `malformed` if it is no
///       message, `unexpected_message` if this listener takes no such message. The bytes are
///       private to this process and do not change (unless they are lent: see `LoanUpTo`); they end
///       with the call, and are aligned to 64 bytes if there are more than 4,096 of them.
template <class S>
concept Serializer = requires {
  { S::schema_hash } -> std::convertible_to<std::uint64_t>;
};

namespace detail {

/// One message on its way out, as the transports see it: a size, and somebody who can write it.
template <class SerializerT, class Message>
class Payload {
 public:
  explicit Payload(const Message& message) : message_(message), size_(SerializerT::size(message)) {}

  /// A `std::size_t` or a `std::integral_constant` of it.
  auto size() const { return size_; }
  std::uint16_t tag() const { return SerializerT::tag(message_); }
  void write_to(std::byte* out) const { SerializerT::write(message_, out); }

  static constexpr bool contiguous = requires(const Message& message) {
    { SerializerT::bytes(message) } -> std::convertible_to<std::span<const std::byte>>;
  };
  std::span<const std::byte> bytes() const requires contiguous {
    return SerializerT::bytes(message_);
  }

 private:
  const Message& message_;
  [[no_unique_address]] decltype(SerializerT::size(std::declval<const Message&>())) size_;
};

/// A size known from the type, or `SIZE_MAX`.
template <class Size>
inline constexpr std::size_t static_size = SIZE_MAX;
template <std::size_t Bytes>
inline constexpr std::size_t static_size<std::integral_constant<std::size_t, Bytes>> = Bytes;

}  // namespace detail
}  // namespace strait
