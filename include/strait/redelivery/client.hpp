#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/memory/encode_buffer.hpp"
#include "strait/redelivery/frame.hpp"
#include "strait/redelivery/kept_messages.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"

namespace strait::detail {

/// What a client keeps of what it has sent: from one channel to the next, which may lead to another
/// instance of the server.
template <class ChannelT, std::size_t max_bytes>
class RedeliveryClient {
  using Messages = typename ChannelT::serializer::Messages;
  static constexpr std::size_t max_message_bytes = ChannelT::channel_options.max_message_bytes;

 public:
  /// Errors: the system's.
  static Result<RedeliveryClient> create() {
    const auto session = random_id();
    if (!session) return session.error();
    RedeliveryClient client;
    client.session_ = *session;
    return client;
  }

  /// How many messages are not acknowledged.
  std::size_t count() const {
    return static_cast<std::size_t>(kept_.end_number() - kept_.first_number());
  }
  /// Whether the server has said how far it is.
  bool welcome() const { return state_ == State::welcome; }

  /// Errors: `queue_full`; `message_too_large`; `busy` from inside a serializer; the serializer's.
  template <class Message>
  Result<void> keep(const Message& message) {
    static_assert(Messages::template accepts<Message>,
                  "strait: the channel's serializer does not know this type of message.");
    static_assert(check_message<Messages, Message>());
    if (writing_) return Errc::busy;
    if constexpr (ChecksMessage<Messages, Message>) {
      if (auto checked = Messages::check(message); !checked) return checked;
    }
    const Writing writing(writing_);
    if constexpr (EncodesMessage<Messages, Message>) {
      const auto bytes = encoder_.template encode<Messages>(message, max_message_bytes);
      if (!bytes) return bytes.error();
      return add(Messages::tag(message), bytes->size(), [&](std::byte* out) {
        if (!bytes->empty()) std::memcpy(out, bytes->data(), bytes->size());
      });
    } else {
      return add(Messages::tag(message), Messages::size(message),
                 [&](std::byte* out) { Messages::write(message, out); });
    }
  }

  /// Says over a new channel which session this is. Errors: those of `send`.
  Result<void> greet(ChannelT& channel) {
    state_ = State::greeting;
    const SessionHello hello{session_, instance_, sent_};
    return channel.send(ControlFrame(FrameKind::hello, kept_.first_number(), hello).frame());
  }
  /// The channel is gone.
  void leave() { state_ = State::away; }

  /// Takes what the server says of messages. Returns how many it may have lost.
  ///
  /// Errors: `malformed`.
  Result<std::size_t> take(const IncomingFrame& in) {
    switch (in.trailer.kind) {
      case FrameKind::welcome:
      case FrameKind::forgotten: return take_welcome(in);
      case FrameKind::acknowledgement:
        // None is acknowledged twice, or before it was sent over this channel.
        if (state_ != State::welcome || !in.bytes.empty() ||
            in.trailer.number < kept_.first_number() || in.trailer.number >= kept_.next_number()) {
          return Errc::malformed;
        }
        kept_.drop_through(in.trailer.number);
        return std::size_t{0};
      case FrameKind::message:
      case FrameKind::numbered:
      case FrameKind::hello:
      default: return Errc::malformed;
    }
  }

  /// Sends what the channel takes now. What ends the channel is for its next `poll` to tell.
  void send_on(ChannelT& channel) {
    while (state_ == State::welcome && kept_.has_next()) {
      if (!channel.send(kept_.next())) return;
      sent_ = kept_.next_number();
      if (ever_sent_ < sent_) ever_sent_ = sent_;
      kept_.skip();
    }
  }

 private:
  enum class State : std::uint8_t { away, greeting, welcome };

  struct Writing {
    bool& flag;
    explicit Writing(bool& set) : flag(set) { flag = true; }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() { flag = false; }
  };

  template <class Write>
  Result<void> add(std::uint16_t tag, std::size_t size, Write&& write) {
    if (size > max_message_bytes - FrameTrailer::bytes) return Errc::message_too_large;
    const std::size_t needed = sizeof(FrameHeader) + size + FrameTrailer::bytes;
    // One message is always taken, whatever its size.
    if (!kept_.empty() && needed > max_bytes - (min)(max_bytes, kept_.bytes())) {
      return Errc::queue_full;
    }
    const std::uint64_t number = kept_.end_number();
    std::byte* const out = kept_.push(tag, size + FrameTrailer::bytes);
    if (out == nullptr) return no_memory();
    write(out);
    FrameTrailer{FrameKind::numbered, number}.write(out + size);
    return {};
  }

  Result<std::size_t> take_welcome(const IncomingFrame& in) {
    const auto instance = content_of<std::uint64_t>(in.bytes);
    if (!instance) return instance.error();
    const std::uint64_t last = in.trailer.number;
    if (state_ != State::greeting || *instance == 0 || last > ever_sent_ ||
        last + 1 < kept_.first_number()) {
      return Errc::malformed;
    }
    std::size_t unknown = 0;
    if (in.trailer.kind == FrameKind::forgotten) {
      if (*instance != instance_ || last != sent_) return Errc::malformed;
      unknown = static_cast<std::size_t>(last + 1 - kept_.first_number());
    }
    instance_ = *instance;
    kept_.drop_through(last);
    kept_.rewind(kept_.first_number());
    sent_ = last;
    state_ = State::welcome;
    return unknown;
  }

  std::uint64_t session_ = 0;
  std::uint64_t instance_ = 0;
  /// The last number that this instance was sent, and that any was.
  std::uint64_t sent_ = 0;
  std::uint64_t ever_sent_ = 0;
  KeptMessages kept_;
  State state_ = State::away;
  bool writing_ = false;
  Encoder encoder_;
};

}  // namespace strait::detail
