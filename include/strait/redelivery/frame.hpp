#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "strait/os/random.hpp"
#include "strait/result.hpp"

namespace strait::detail {

// What a client that sends again and its server say to each other beside the program's messages.

enum class FrameKind : std::uint8_t {
  message,          // of the program's, without a number
  numbered,         // of the program's, to be acknowledged
  hello,            // a client's first: which session it is, and its oldest message
  welcome,          // the answer: which instance it is, and the last number that it has handled
  forgotten,        // instead of that: the instance had the session once, and does not know it now
  acknowledgement,  // all up to this number were handled
};
inline constexpr std::uint8_t last_frame_kind =
    static_cast<std::uint8_t>(FrameKind::acknowledgement);

inline constexpr std::uint64_t max_message_number = (std::uint64_t{1} << 56) - 2;

/// What travels behind the bytes of a message, so that these lie as they would without it.
struct FrameTrailer {
  static constexpr std::size_t bytes = 8;

  FrameKind kind = FrameKind::message;
  std::uint64_t number = 0;

  void write(std::byte* out) const {
    const std::uint64_t value = number << 8 | static_cast<std::uint64_t>(kind);
    std::memcpy(out, &value, bytes);
  }
  /// Errors: `malformed` for what is none.
  static Result<FrameTrailer> read(std::span<const std::byte> message) {
    std::uint64_t value = 0;
    if (message.size() < bytes) return Errc::malformed;
    std::memcpy(&value, message.data() + (message.size() - bytes), bytes);
    const auto kind = static_cast<std::uint8_t>(value);
    const std::uint64_t number = value >> 8;
    if (kind > last_frame_kind || number > max_message_number) return Errc::malformed;
    if (kind == 0 && number != 0) return Errc::malformed;
    return FrameTrailer{static_cast<FrameKind>(kind), number};
  }
};

/// The bytes of a `hello`. Its number is that of the oldest message that is kept, or comes next.
struct SessionHello {
  /// The client, for as long as its object lives.
  std::uint64_t session = 0;
  /// The server that it was connected to last, 0 if none, and the last number that it sent there.
  std::uint64_t instance = 0;
  std::uint64_t sent = 0;
};

/// A message that is encoded already, with its trailer.
struct EncodedFrame {
  std::uint16_t tag;
  std::span<const std::byte> bytes;
};

/// One that has nothing of the program's in it.
class ControlFrame {
 public:
  ControlFrame(FrameKind kind, std::uint64_t number) { finish({kind, number}); }
  template <class Content>
  ControlFrame(FrameKind kind, std::uint64_t number, const Content& content)
      : size_(sizeof content) {
    static_assert(sizeof content <= sizeof(SessionHello));
    std::memcpy(bytes_.data(), &content, sizeof content);
    finish({kind, number});
  }

  EncodedFrame frame() const { return {0, std::span(bytes_).first(size_)}; }

 private:
  void finish(const FrameTrailer& trailer) {
    trailer.write(bytes_.data() + size_);
    size_ += FrameTrailer::bytes;
  }

  std::array<std::byte, sizeof(SessionHello) + FrameTrailer::bytes> bytes_{};
  std::size_t size_ = 0;
};

/// Errors: `malformed` unless the bytes are one.
template <class Content>
Result<Content> content_of(std::span<const std::byte> bytes) {
  Content content{};
  if (bytes.size() != sizeof content) return Errc::malformed;
  std::memcpy(&content, bytes.data(), sizeof content);
  return content;
}

/// A number that no other object in any process has. Errors: the system's.
inline Result<std::uint64_t> random_id() {
  for (;;) {
    std::array<std::byte, sizeof(std::uint64_t)> bytes;
    if (auto filled = os::fill_random(bytes); !filled) return filled.error();
    std::uint64_t id;
    std::memcpy(&id, bytes.data(), sizeof id);
    if (id != 0) return id;
  }
}

/// Listeners that take frames say so, since one that takes everything would get what it can't read.
template <class Listener>
concept TakesFrames = requires {
  requires Listener::takes_frames;
};

/// A frame that has come and is no plain message, not yet read. A listener that takes it says what
/// became of it.
struct IncomingFrame {
  FrameTrailer trailer;
  std::uint16_t tag;
  std::span<const std::byte> bytes;
  Result<void>& result;
};

/// Arguments of the program's own.
template <class... Arguments>
inline constexpr bool are_messages = true;
template <class First, class... Others>
inline constexpr bool are_messages<First, Others...> =
    !std::is_same_v<std::remove_cvref_t<First>, IncomingFrame>;

}  // namespace strait::detail
