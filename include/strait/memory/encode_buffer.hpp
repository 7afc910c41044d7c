#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/error.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {
class Encoder;
}

/// Where a serializer puts a message of which only encoding tells the size: S6 of `Serializer`. It
/// keeps its memory for the channel's next messages, that of a large one until 64 in a row have
/// needed less than a quarter of it.
class EncodeBuffer {
 public:
  /// Adds bytes to the end; none any more when something has failed.
  void append(const void* from, std::size_t bytes) noexcept {
    if (failure_ || bytes == 0) return;
    if (bytes > max_bytes_ - bytes_.size()) return fail(make_error_code(Errc::message_too_large));
    std::byte* const room = bytes_.extend(bytes);
    if (room == nullptr) return fail(detail::no_memory());
    std::memcpy(room, from, bytes);
  }

  /// Makes `send` answer that this message can't be sent; of several reasons the first counts.
  void fail(std::error_code why) noexcept {
    if (!failure_) failure_ = why;
  }

 private:
  friend class detail::Encoder;

  detail::ByteBuffer bytes_;
  std::size_t max_bytes_ = 0;
  std::error_code failure_;
};

namespace detail {

/// Encodes a channel's messages, one after the other.
class Encoder {
 public:
  /// The bytes of a message, until the next one is encoded.
  ///
  /// Errors: what `SerializerT::encode` failed with; `message_too_large`; `not_enough_memory`;
  /// `busy` from inside another `encode`.
  template <class SerializerT, class Message>
  Result<std::span<const std::byte>> encode(const Message& message, std::size_t max_bytes) {
    if (encoding_) return Errc::busy;
    const Now now(encoding_);
    buffer_.bytes_.clear();
    buffer_.max_bytes_ = max_bytes;
    buffer_.failure_ = {};
    SerializerT::encode(message, buffer_);
    if (buffer_.failure_) return buffer_.failure_;
    return buffer_.bytes_.bytes();
  }

 private:
  struct Now {
    bool& flag;
    explicit Now(bool& set) : flag(set) { flag = true; }
    Now(const Now&) = delete;
    Now& operator=(const Now&) = delete;
    ~Now() { flag = false; }
  };

  EncodeBuffer buffer_;
  bool encoding_ = false;
};

}  // namespace detail
}  // namespace strait
