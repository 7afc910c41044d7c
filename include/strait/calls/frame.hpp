#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "strait/result.hpp"

namespace strait {

/// A call that was made and is not answered yet: no number is used again while its reply may come.
enum class CallId : std::uint64_t {};

namespace detail {

enum class CallKind : std::uint8_t {
  message,  // no call at all
  call,
  part,  // of a reply: there will be more
  reply,
  unanswered,  // there will be none
};
inline constexpr std::uint8_t last_call_kind = static_cast<std::uint8_t>(CallKind::unanswered);

/// What travels behind the bytes of a message, so that these lie as they would without it.
struct CallTrailer {
  static constexpr std::size_t bytes = 8;

  CallKind kind = CallKind::message;
  CallId id{};

  std::uint64_t packed() const {
    return static_cast<std::uint64_t>(id) << 8 | static_cast<std::uint64_t>(kind);
  }
  void write(std::byte* out) const {
    const std::uint64_t value = packed();
    std::memcpy(out, &value, bytes);
  }
  /// Errors: `malformed` for what is none.
  static Result<CallTrailer> read(std::span<const std::byte> message) {
    std::uint64_t value = 0;
    if (message.size() < bytes) return Errc::malformed;
    std::memcpy(&value, message.data() + (message.size() - bytes), bytes);
    const auto kind = static_cast<std::uint8_t>(value);
    const CallId id{value >> 8};
    if (kind > last_call_kind) return Errc::malformed;
    if ((kind == 0) != (id == CallId{})) return Errc::malformed;
    return CallTrailer{static_cast<CallKind>(kind), id};
  }
};

/// A message on its way out as a call or a reply, or `Nothing` where there is no message.
template <class Message>
struct OutgoingCall {
  const Message& message;
  CallTrailer trailer;
};
struct Nothing {};

/// Listeners that take calls say so, since one that takes everything would get what it can't read.
template <class Listener>
concept TakesCalls = requires {
  requires Listener::takes_calls;
};
/// Those that take nothing else, which no serializer would let them.
template <class Listener>
concept TakesCallsAlone = requires {
  requires Listener::takes_calls_alone;
};

/// A call or a reply that has come, not yet read. A listener that takes it says what became of it.
struct IncomingCall {
  CallTrailer trailer;
  std::uint16_t tag;
  std::span<const std::byte> bytes;
  Result<void>& result;
};

}  // namespace detail
}  // namespace strait
