#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "strait/error.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/observer.hpp"
#include "strait/os/process_end.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

// What a channel tells its observer, but for what `observer.hpp` has.

/// Whether an error is about what the peer has done or not done.
inline bool is_of_peer(const std::error_code& why) {
  for (const Errc of_peer :
       {Errc::peer_closed, Errc::refused, Errc::bad_token, Errc::version_mismatch,
        Errc::schema_mismatch, Errc::send_policy_mismatch, Errc::queue_size_mismatch,
        Errc::malformed, Errc::message_too_large, Errc::bad_region, Errc::too_many_rights,
        Errc::handshake_timeout, Errc::permission_denied}) {
    if (why == of_peer) return true;
  }
  return false;
}

/// Which side has ended a channel, for this reason.
[[gnu::cold, gnu::noinline]] inline ChannelEnd end_of_channel(std::error_code why,
                                                              const Peer& peer) {
  if (!is_of_peer(why)) return {why, EndedBy::this_side};
  if (why != Errc::peer_closed || peer.passed_on) return {why, EndedBy::peer};
  using How = os::ProcessEnd::How;
  const auto [how, status] = os::look_at_end(peer.credentials);
  if (how == How::exited) return {why, EndedBy::peer_exited, status};
  if (how == How::killed) return {why, EndedBy::peer_killed, status};
  return {why, how == How::gone ? EndedBy::peer_gone : EndedBy::peer};
}

template <class Observer>
void observe_ended(Observer& observer, std::error_code why, const Peer& peer) {
  if constexpr (HearsEnd<Observer>) observer.on_ended(end_of_channel(why, peer));
}

/// For what ends before there is a channel; gives the error on.
template <class Observer>
std::error_code observe_failure(Observer& observer, std::error_code why) {
  observe_ended(observer, why, Peer());
  return why;
}

/// What an observer hears of a message that is being sent, kept from before: one that is given away
/// is gone afterwards.
template <class SerializerT, class Observer>
class SendNotice {
 public:
  template <class Payload>
  explicit SendNotice(const Payload& payload) : bytes_(payload.size()), tag_(payload.tag()) {
    if constexpr (is_plain_payload<Payload> && HearsSentBytes<Observer>) {
      message_ = payload.bytes();
    } else if constexpr (HearsSentBytes<Observer>) {
      std::byte* const out = copy_.extend(bytes_);
      complete_ = out != nullptr;
      if (complete_) payload.write_to(out);
      message_ = copy_.bytes();
    }
  }

  /// False when there was no memory.
  bool complete() const { return complete_; }

  void sent(Observer& observer) const {
    if constexpr (HearsSend<Observer>) observer.on_send(bytes_);
    if constexpr (HearsTypedSend<Observer>) {
      observer.on_send(message_name<SerializerT>(tag_), tag_, bytes_);
    }
    if constexpr (HearsSentBytes<Observer>) observer.on_sent_bytes(tag_, message_);
  }

 private:
  std::size_t bytes_;
  std::uint16_t tag_;
  bool complete_ = true;
  std::span<const std::byte> message_;
  struct NoCopy {};
  [[no_unique_address]] std::conditional_t<HearsSentBytes<Observer>, ByteBuffer, NoCopy> copy_;
};

/// For an observer that does not hear of it.
struct NoSendNotice {
  template <class Payload>
  explicit NoSendNotice(const Payload&) {}
  static constexpr bool complete() { return true; }
  template <class Observer>
  static void sent(Observer&) {}
};

template <class SerializerT, class Observer>
struct SendNoticeFor {
  using Type = NoSendNotice;
};
template <class SerializerT, class Observer>
  requires(HearsSend<Observer> || HearsTypedSend<Observer> || HearsSentBytes<Observer>)
struct SendNoticeFor<SerializerT, Observer> {
  using Type = SendNotice<SerializerT, Observer>;
};

/// Apart, so that it makes no other code longer.
template <class SerializerT, class Observer>
[[gnu::cold, gnu::noinline]] void tell_failed_send(Observer& observer, std::uint16_t tag,
                                                   std::size_t bytes, const Result<void>& sent) {
  observer.on_send_failed(sent.error(), message_name<SerializerT>(tag), tag, bytes);
}

/// Tells of a message that `send` has not taken, if it is one, and gives the result on.
template <class SerializerT, class Observer>
[[gnu::always_inline]] inline Result<void> observe_failed_send(Observer& observer,
                                                               std::uint16_t tag, std::size_t bytes,
                                                               Result<void> sent) {
  if constexpr (HearsFailedSend<Observer>) {
    if (!sent) [[unlikely]]
      tell_failed_send<SerializerT>(observer, tag, bytes, sent);
  }
  return sent;
}

template <class SerializerT, class Observer>
[[gnu::always_inline]] inline void observe_received(Observer& observer, const Incoming& message) {
  const std::size_t bytes = message.bytes.size();
  if constexpr (HearsReceive<Observer>) observer.on_receive(bytes);
  if constexpr (HearsTypedReceive<Observer>) {
    observer.on_receive(message_name<SerializerT>(message.tag), message.tag, bytes);
  }
  if constexpr (HearsReceivedBytes<Observer>) {
    observer.on_received_bytes(message.tag, message.bytes);
  }
}

}  // namespace strait::detail
