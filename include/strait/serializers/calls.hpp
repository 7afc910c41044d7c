#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "strait/base/type_name.hpp"
#include "strait/calls/frame.hpp"
#include "strait/memory/encode_buffer.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"

namespace strait {

/// Makes of a serializer one whose messages can be calls and replies, too:
/// `Channel<MachTransport<>, Calls<TrivialSerializer<Add, Sum>>>`. `Caller` makes calls over such a
/// channel, `answering` answers them. Messages that are no calls are sent and heard as ever.
///
/// Which call it is travels beside the message, in eight bytes.
template <class SerializerT>
class Calls {
  template <class Message>
  using Outgoing = detail::OutgoingCall<Message>;
  static constexpr std::size_t trailer_bytes = detail::CallTrailer::bytes;

  template <class M>
  struct Sent {
    using Message = M;
    static constexpr bool is_call = false;
  };
  template <class M>
  struct Sent<detail::OutgoingCall<M>> {
    using Message = M;
    static constexpr bool is_call = true;
  };
  template <class M>
  using MessageIn = typename Sent<M>::Message;
  template <class M>
  static constexpr bool is_nothing = std::is_same_v<MessageIn<M>, detail::Nothing>;

  template <class M>
  static const auto& message_in(const M& sent) {
    if constexpr (Sent<M>::is_call) {
      return sent.message;
    } else {
      return sent;
    }
  }
  template <class M>
  static detail::CallTrailer trailer_of(const M& sent) {
    if constexpr (Sent<M>::is_call) {
      return sent.trailer;
    } else {
      return {};
    }
  }

 public:
  /// What is called, and what is sent without being a call.
  using Messages = SerializerT;

  static constexpr std::uint64_t schema_hash =
      detail::fnv(SerializerT::schema_hash, std::string_view("calls"));

  template <class M>
  static constexpr bool accepts = [] {
    if constexpr (is_nothing<M>) {
      return true;
    } else {
      return SerializerT::template accepts<MessageIn<M>>;
    }
  }();

  static std::string_view name(std::uint16_t tag) { return detail::message_name<SerializerT>(tag); }

  template <class M>
  static std::uint16_t tag(const M& sent) {
    if constexpr (is_nothing<M>) {
      return 0;
    } else {
      return SerializerT::tag(message_in(sent));
    }
  }

  template <class M>
    requires(is_nothing<M> || detail::SizesMessage<SerializerT, MessageIn<M>>)
  static auto size(const M& sent) {
    if constexpr (is_nothing<M>) {
      return std::integral_constant<std::size_t, trailer_bytes>();
    } else {
      const auto size = SerializerT::size(message_in(sent));
      constexpr std::size_t known = detail::static_size<std::remove_const_t<decltype(size)>>;
      if constexpr (known != SIZE_MAX) {
        return std::integral_constant<std::size_t, known + trailer_bytes>();
      } else {
        return size > SIZE_MAX - trailer_bytes ? SIZE_MAX : std::size_t{size} + trailer_bytes;
      }
    }
  }

  template <class M>
    requires(is_nothing<M> || detail::WritesMessage<SerializerT, MessageIn<M>>)
  static void write(const M& sent, std::byte* out) {
    if constexpr (!is_nothing<M>) {
      SerializerT::write(message_in(sent), out);
      out += std::size_t{SerializerT::size(message_in(sent))};
    }
    trailer_of(sent).write(out);
  }

  template <class M>
    requires(!is_nothing<M> && detail::EncodesMessage<SerializerT, MessageIn<M>>)
  static void encode(const M& sent, EncodeBuffer& out) {
    SerializerT::encode(message_in(sent), out);
    std::byte trailer[trailer_bytes];
    trailer_of(sent).write(trailer);
    out.append(trailer, sizeof trailer);
  }

  template <class M>
    requires(!is_nothing<M> && detail::ChecksMessage<SerializerT, MessageIn<M>>)
  static Result<void> check(const M& sent) { return SerializerT::check(message_in(sent)); }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    const auto trailer = detail::CallTrailer::read(bytes);
    if (!trailer) return trailer.error();
    const auto message = bytes.first(bytes.size() - trailer_bytes);
    if (trailer->kind == detail::CallKind::message) {
      return read_message(tag, message, listener);
    } else if constexpr (detail::TakesCalls<typename Listener::listener_type>) {
      Result<void> result = Errc::unexpected_message;
      listener(detail::IncomingCall{*trailer, tag, message, result});
      return result;
    } else {
      return Errc::unexpected_message;
    }
  }

 private:
  template <class Listener>
  static Result<void> read_message(std::uint16_t tag, std::span<const std::byte> bytes,
                                   Listener& listener) {
    if constexpr (detail::TakesCallsAlone<typename Listener::listener_type>) {
      return Errc::unexpected_message;
    } else {
      return SerializerT::read(tag, bytes, listener);
    }
  }
};

}  // namespace strait
