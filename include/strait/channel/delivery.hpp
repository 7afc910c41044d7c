#pragma once

#include <concepts>
#include <cstring>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/memory/message_memory.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

template <class Listener, class Message, class... More>
concept TakesMessage = std::invocable<Listener&, Message, More...>;
template <class Listener, class Message, class... More>
concept TakesBuffer = requires(Listener& listener,
                               typename BufferOf<std::remove_cvref_t<Message>>::Type buffer,
                               More&&... more) {
  listener(std::move(buffer), std::forward<More>(more)...);
};
template <class Listener, class Message, class... More>
concept Takes = TakesMessage<Listener, Message, More...> || TakesBuffer<Listener, Message, More...>;

/// A listener as a serializer's `read` calls it: passes the message on where it lies or, if the
/// listener asks for one, in a buffer to keep; with its rights if the listener asks for them.
template <class Listener, bool carries_rights>
class Delivery {
 public:
  /// What of `rights` and `memory` the listener does not take is still the caller's.
  Delivery(Listener& listener, Rights& rights, Lease* memory)
      : listener_(listener), rights_(rights), memory_(memory) {}

  template <class Message>
    requires(carries_rights&& Takes<Listener, Message, Rights>)
  || Takes<Listener, Message> void operator()(Message&& message) {
    if constexpr (carries_rights && Takes<Listener, Message, Rights>) {
      call(std::forward<Message>(message), std::move(rights_));
    } else {
      call(std::forward<Message>(message));
    }
  }

  /// Why the listener was not called though the message was good: no memory for its buffer.
  std::error_code failure() const { return failure_; }

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
  Rights& rights_;
  Lease* memory_;
  std::error_code failure_;
};

/// Reads a message and gives it to the listener. What of its rights and memory the listener does
/// not take is closed.
///
/// Errors: those of the serializer's `read`; `not_enough_memory` for a buffer to keep.
template <class SerializerT, bool carries_rights, class Listener>
Result<void> deliver(Listener& listener, const Incoming& message, Rights& rights) {
  Delivery<Listener, carries_rights> delivery(listener, rights, message.memory);
  const Result<void> read = SerializerT::read(message.tag, message.bytes, delivery);
  return delivery.failure() ? delivery.failure() : read;
}

}  // namespace strait::detail
