#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "strait/base/type_name.hpp"
#include "strait/memory/encode_buffer.hpp"
#include "strait/redelivery/frame.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"

namespace strait {

/// Makes of a serializer one whose messages can be acknowledged:
/// `Channel<MachTransport<>, Acknowledged<TrivialSerializer<Entry>>>`. A `Reconnecting` client with
/// `Redeliver` numbers what it sends over such a channel, and `acknowledging` is its server's
/// side. What is sent over the channel itself has no number, and is sent and heard as ever.
///
/// The number travels beside the message, in eight bytes.
template <class SerializerT>
class Acknowledged {
  using Frame = detail::EncodedFrame;
  using Trailer = detail::FrameTrailer;
  template <class M>
  static constexpr bool is_frame = std::is_same_v<M, Frame>;

 public:
  /// What is sent.
  using Messages = SerializerT;

  static constexpr std::uint64_t schema_hash =
      detail::fnv(SerializerT::schema_hash, std::string_view("acknowledged"));

  template <class M>
  static constexpr bool accepts = [] {
    if constexpr (is_frame<M>) {
      return true;
    } else {
      return SerializerT::template accepts<M>;
    }
  }();

  static std::string_view name(std::uint16_t tag) { return detail::message_name<SerializerT>(tag); }

  template <class M>
  static std::uint16_t tag(const M& message) {
    if constexpr (is_frame<M>) {
      return message.tag;
    } else {
      return SerializerT::tag(message);
    }
  }

  template <class M>
    requires(is_frame<M> || detail::SizesMessage<SerializerT, M>)
  static auto size(const M& message) {
    if constexpr (is_frame<M>) {
      return message.bytes.size();
    } else {
      const auto size = SerializerT::size(message);
      constexpr std::size_t known = detail::static_size<std::remove_const_t<decltype(size)>>;
      if constexpr (known != SIZE_MAX) {
        return std::integral_constant<std::size_t, known + Trailer::bytes>();
      } else {
        return size > SIZE_MAX - Trailer::bytes ? SIZE_MAX : std::size_t{size} + Trailer::bytes;
      }
    }
  }

  static std::span<const std::byte> bytes(const Frame& frame) { return frame.bytes; }
  static void write(const Frame& frame, std::byte* out) {
    std::memcpy(out, frame.bytes.data(), frame.bytes.size());
  }

  template <class M>
    requires(!is_frame<M> && detail::WritesMessage<SerializerT, M>)
  static void write(const M& message, std::byte* out) {
    SerializerT::write(message, out);
    Trailer().write(out + std::size_t{SerializerT::size(message)});
  }

  template <class M>
    requires(!is_frame<M> && detail::EncodesMessage<SerializerT, M>)
  static void encode(const M& message, EncodeBuffer& out) {
    SerializerT::encode(message, out);
    std::byte trailer[Trailer::bytes];
    Trailer().write(trailer);
    out.append(trailer, sizeof trailer);
  }

  template <class M>
    requires(!is_frame<M> && detail::ChecksMessage<SerializerT, M>)
  static Result<void> check(const M& message) { return SerializerT::check(message); }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    const auto trailer = Trailer::read(bytes);
    if (!trailer) return trailer.error();
    const auto message = bytes.first(bytes.size() - Trailer::bytes);
    if (trailer->kind == detail::FrameKind::message) {
      return SerializerT::read(tag, message, listener);
    } else if constexpr (detail::TakesFrames<typename Listener::listener_type>) {
      Result<void> result = Errc::unexpected_message;
      listener(detail::IncomingFrame{*trailer, tag, message, result});
      return result;
    } else {
      return Errc::unexpected_message;
    }
  }
};

namespace detail {

template <class SerializerT>
inline constexpr bool acknowledges = false;
template <class SerializerT>
inline constexpr bool acknowledges<Acknowledged<SerializerT>> = true;

}  // namespace detail
}  // namespace strait
