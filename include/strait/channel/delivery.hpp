#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "strait/channel/frame_sink.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializer.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

template <class Listener, class Message, class... More>
concept TakesMessage = std::invocable<Listener&, Message, More...>;
/// Only a message that is sent as it lies in memory can lie in a buffer.
template <class SerializerT, class Listener, class Message, class... More>
concept TakesBuffer = HasMessageBytes<SerializerT, std::remove_cvref_t<Message>> &&
    requires(Listener& listener, typename BufferOf<std::remove_cvref_t<Message>>::Type buffer,
             More&&... more) {
  listener(std::move(buffer), std::forward<More>(more)...);
};
template <class SerializerT, class Listener, class Message, class... More>
concept Takes = TakesMessage<Listener, Message, More...> ||
    TakesBuffer<SerializerT, Listener, Message, More...>;

/// A listener as a serializer's `read` calls it: passes the message on where it lies or, if the
/// listener asks for one, in a buffer to keep; with its rights if the listener asks for them.
template <class SerializerT, class Listener, bool carries_rights>
class Delivery {
 public:
  using listener_type = Listener;

  /// What of its rights and memory the listener does not take stays with the message.
  Delivery(Listener& listener, const Incoming& message)
      : listener_(listener), rights_(message.rights), memory_(message.memory) {}

  template <class Message>
    requires(carries_rights&& Takes<SerializerT, Listener, Message, Rights>)
  || Takes<SerializerT, Listener, Message> void operator()(Message&& message) {
    if constexpr (carries_rights && Takes<SerializerT, Listener, Message, Rights>) {
      call(std::forward<Message>(message),
           rights_ == nullptr ? Rights() : Rights(std::move(*rights_)));
    } else if constexpr (TakesMessage<Listener, Message>) {
      listener_(std::forward<Message>(message));
    } else {
      call(std::forward<Message>(message));
    }
  }

  /// Refused instead of passed over at run time.
  template <class Message>
    requires(!carries_rights && !Takes<SerializerT, Listener, Message> &&
             Takes<SerializerT, Listener, Message, Rights>)
  void operator()(Message&&) {
    static_assert(Takes<SerializerT, Listener, Message>,
                  "strait: no rights come over this transport, so that a listener which takes "
                  "strait::Rights with a message is never called; let it take the message alone.");
  }

  /// Why the listener was not called though the message was good: no memory for its buffer.
  const Result<void>& failure() const { return failure_; }

 private:
  template <class Message, class... More>
  void call(Message&& message, More&&... more) {
    if constexpr (TakesMessage<Listener, Message, More...>) {
      listener_(std::forward<Message>(message), std::forward<More>(more)...);
    } else {
      using Buffer = BufferOf<std::remove_cvref_t<Message>>;
      const auto bytes = Buffer::bytes(message);
      if (memory_ != nullptr && (*memory_)->data() == bytes.data()) {
        return listener_(Buffer::make(std::move(*memory_), bytes.size()),
                         std::forward<More>(more)...);
      }
      auto copy = PrivateMemory::create(bytes.size());
      if (!copy) {
        failure_ = copy.error();
        return;
      }
      if (!bytes.empty()) std::memcpy((*copy)->data(), bytes.data(), bytes.size());
      listener_(Buffer::make(std::move(*copy), bytes.size()), std::forward<More>(more)...);
    }
  }

  Listener& listener_;
  RightList* rights_;
  Lease* memory_;
  Result<void> failure_;
};

/// Gives a message to the listener, or to what takes messages as they are.
///
/// Errors: those of the serializer's `read`; `not_enough_memory` for a buffer to keep.
template <class SerializerT, bool carries_rights, class Listener>
[[gnu::always_inline]] inline Result<void> deliver(Listener& listener, const Incoming& message) {
  if constexpr (std::derived_from<Listener, FrameSink>) {
    return listener.take(message);
  } else {
    Delivery<SerializerT, Listener, carries_rights> delivery(listener, message);
    const Result<void> read = SerializerT::read(message.tag, message.bytes, delivery);
    return delivery.failure() ? read : delivery.failure();
  }
}

/// Says with each right whom it is from. Errors: `too_many_rights`.
[[gnu::noinline]] inline Result<void> admit(RightList& rights, const PeerCredentials& sender,
                                            std::size_t most_rights) {
  if (rights.size() > most_rights) return Errc::too_many_rights;
  rights.for_each([&](Right& right) { right.sender = sender; });
  return {};
}

}  // namespace strait::detail
