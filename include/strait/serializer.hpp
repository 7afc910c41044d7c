#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/result.hpp"

namespace strait {

class EncodeBuffer;

namespace detail {

/// A listener that takes everything, to state a serializer's contract with.
struct AnyListener {
  template <class Message>
  void operator()(Message&&);
};

// The parts of `Serializer`, each by the numbers there.

template <class S>  // S1
concept HasSchema = requires {
  { S::schema_hash } -> std::convertible_to<std::uint64_t>;
};
template <class S, class M>  // S2
concept AcceptsMessage = requires {
  { S::template accepts<M> } -> std::convertible_to<bool>;
};
template <class S, class M>  // S3
concept TagsMessage = requires(const M& message) {
  { S::tag(message) } -> std::convertible_to<std::uint16_t>;
};
template <class S, class M>  // S4
concept SizesMessage = requires(const M& message) {
  { S::size(message) } -> std::convertible_to<std::size_t>;
};
template <class S, class M>  // S5
concept WritesMessage = requires(const M& message, std::byte* out) {
  { S::write(message, out) } -> std::same_as<void>;
};
template <class S, class M>  // S6
concept EncodesMessage = requires(const M& message, EncodeBuffer& out) {
  { S::encode(message, out) } -> std::same_as<void>;
};
template <class S, class M>  // S7
concept ChecksMessage = requires(const M& message) {
  { S::check(message) } -> std::same_as<Result<void>>;
};
template <class S, class M>  // S8
concept HasMessageBytes = requires(const M& message) {
  { S::bytes(message) } -> std::convertible_to<std::span<const std::byte>>;
};
template <class S>  // S9
concept ReadsMessages = requires(std::uint16_t tag, std::span<const std::byte> bytes,
                                 AnyListener& listener) {
  { S::read(tag, bytes, listener) } -> std::same_as<Result<void>>;
};
/// S10, or 0; of a sink that passes it on, too.
template <class S>
inline constexpr std::size_t usual_bytes = 0;
template <class S>
  requires requires { S::usual_bytes; }
inline constexpr std::size_t usual_bytes<S> = S::usual_bytes;
/// S11, or nothing.
template <class S>
std::string_view message_name(std::uint16_t tag) {
  if constexpr (requires { S::name(tag); }) {
    return S::name(tag);
  } else {
    return {};
  }
}

}  // namespace detail

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
///   S6  instead of S4 and S5, where only encoding tells the size: `encode(message, out)` appends
///       the bytes to `out`, an `EncodeBuffer` that the channel keeps from message to message.
///   S7  optional, `check(message)`: success, or why this message can't be sent.
///   S8  optional, `bytes(message)`: the same bytes, where they lie in the message already.
///   S9  `read(tag, bytes, listener)`: calls the listener with the message that lies in `bytes`,
///       which may be anything that a hostile peer makes up. Errors: `malformed` if it is no
///       message, `unexpected_message` if this listener takes no such message. The bytes are
///       private to this process and do not change (unless they are lent: see `LoanUpTo`); they end
///       with the call, and are aligned to 64 bytes if there are more than 4,096 of them.
///   S10 optional, `usual_bytes`: the size of the messages when all have the same, which makes
///       receiving them a little faster.
///   S11 optional, `name(tag)`: what a program calls the messages of this tag, for observers; empty
///       if it is no tag.
///   S12 optional, `type_hashes`: an array of a `std::uint64_t` for each type, by its tag, so that
///       a peer with another schema learns which type differs.
///
/// No exception may leave any of these, but what the listener itself throws.
///
/// `examples/custom_serializer.cpp` is a small one.
template <class S>
concept Serializer = detail::HasSchema<S> && detail::ReadsMessages<S>;

/// A serializer that can send an `M`.
template <class S, class M>
concept SerializerOf = Serializer<S> && detail::AcceptsMessage<S, M> && detail::TagsMessage<S, M> &&
    (detail::EncodesMessage<S, M> || (detail::SizesMessage<S, M> && detail::WritesMessage<S, M>));

namespace detail {

/// Says, in one sentence for each, what lacks to make a type a serializer.
template <class S>
consteval bool check_serializer() {
  static_assert(Serializer<S>,
                "strait: the second argument of Channel is a serializer, such as RawSerializer.");
  static_assert(HasSchema<S>,
                "strait: a serializer has a static schema_hash, a std::uint64_t: S1 in "
                "serializer.hpp.");
  static_assert(ReadsMessages<S>,
                "strait: a serializer has a static read(std::uint16_t, std::span<const std::byte>, "
                "listener&), which returns Result<void>: S9 in serializer.hpp.");
  return true;
}

/// The same for one type of message.
template <class S, class M>
consteval bool check_message() {
  static_assert(AcceptsMessage<S, M>,
                "strait: a serializer has a static accepts<M>, a bool: S2 in serializer.hpp.");
  static_assert(TagsMessage<S, M>,
                "strait: a serializer has a static tag(const M&), which returns a std::uint16_t: "
                "S3 in serializer.hpp.");
  static_assert(EncodesMessage<S, M> || SizesMessage<S, M>,
                "strait: a serializer has a static size(const M&), which returns a std::size_t or "
                "a std::integral_constant of one: S4 in serializer.hpp.");
  static_assert(EncodesMessage<S, M> || WritesMessage<S, M>,
                "strait: a serializer has a static write(const M&, std::byte*), which returns "
                "nothing: S5 in serializer.hpp.");
  return true;
}

/// One message on its way out, as the transports see it: a size, and what writes it.
template <class SerializerT, class Message>
class Payload {
 public:
  explicit Payload(const Message& message) : message_(message), size_(SerializerT::size(message)) {}

  /// A `std::size_t` or a `std::integral_constant` of it.
  auto size() const { return size_; }
  std::uint16_t tag() const { return SerializerT::tag(message_); }
  void write_to(std::byte* out) const { SerializerT::write(message_, out); }

  static constexpr bool contiguous = false;

 private:
  const Message& message_;
  [[no_unique_address]] decltype(SerializerT::size(std::declval<const Message&>())) size_;
};

/// One that lies in memory as it is sent. Transports run no code of the serializer's with it, and
/// are compiled once for all messages of one size.
template <class Size>
class PlainPayload {
 public:
  PlainPayload(std::uint16_t tag, Size size, const std::byte* data)
      : data_(data), tag_(tag), size_(size) {}

  Size size() const { return size_; }
  std::uint16_t tag() const { return tag_; }
  void write_to(std::byte* out) const {
    if (size_ != 0) std::memcpy(out, data_, size_);
  }

  static constexpr bool contiguous = true;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_;
  std::uint16_t tag_;
  [[no_unique_address]] Size size_;
};

template <class Payload>
inline constexpr bool is_plain_payload = false;
template <class Size>
inline constexpr bool is_plain_payload<PlainPayload<Size>> = true;

template <class SerializerT, class Message>
[[gnu::always_inline]] inline auto payload_of(const Message& message) {
  if constexpr (HasMessageBytes<SerializerT, Message>) {
    const std::span<const std::byte> bytes = SerializerT::bytes(message);
    return PlainPayload(SerializerT::tag(message), SerializerT::size(message), bytes.data());
  } else {
    return Payload<SerializerT, Message>(message);
  }
}

/// A size known from the type, or `SIZE_MAX`.
template <class Size>
inline constexpr std::size_t static_size = SIZE_MAX;
template <std::size_t Bytes>
inline constexpr std::size_t static_size<std::integral_constant<std::size_t, Bytes>> = Bytes;

}  // namespace detail
}  // namespace strait
