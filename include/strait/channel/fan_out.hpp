#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "strait/memory/byte_buffer.hpp"
#include "strait/memory/encode_buffer.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/result.hpp"
#include "strait/send_policy.hpp"
#include "strait/serializer.hpp"

namespace strait::detail {

/// A message that is serialized already and lies in memory that several channels may send.
class SharedPayload {
 public:
  SharedPayload(std::uint16_t tag, std::span<const std::byte> bytes, Lease& lease)
      : bytes_(bytes), lease_(lease), tag_(tag) {}

  std::size_t size() const { return bytes_.size(); }
  std::uint16_t tag() const { return tag_; }
  void write_to(std::byte* out) const {
    if (!bytes_.empty()) std::memcpy(out, bytes_.data(), bytes_.size());
  }

  static constexpr bool contiguous = true;
  std::span<const std::byte> bytes() const { return bytes_; }

  Lease& lease() const { return lease_; }
  /// The next channel needs it, too.
  bool moved() const { return false; }

 private:
  std::span<const std::byte> bytes_;
  Lease& lease_;
  std::uint16_t tag_;
};

/// Whether large messages of a transport can be lent to many receivers at once.
template <class TransportT>
inline constexpr bool lends_to_many = false;
template <class TransportT>
  requires requires { TransportT::max_shared_bytes; }
inline constexpr bool lends_to_many<TransportT> = TransportT::max_shared_bytes != 0;

/// Whether large messages of a transport lie in memory that can be sent over other links, too.
template <class TransportT>
inline constexpr bool shares_regions = lends_to_many<TransportT>;
template <class TransportT>
  requires requires {
    TransportT::out_of_line_from;
    requires std::same_as<typename TransportT::send_policy::method, CopyOnWrite>;
  }
inline constexpr bool shares_regions<TransportT> = true;

/// The memory that is lent to many at once, if there is such; made when it is asked for.
template <class TransportT>
class SharedBuffers {
 public:
  static bool has(const Lease&) { return true; }
  template <class ChannelT>
  Result<OutOfLineBytes> make(ChannelT& first, std::size_t bytes) {
    return first.out_of_line_bytes(bytes);
  }
};
template <class TransportT>
  requires lends_to_many<TransportT>
class SharedBuffers<TransportT> {
 public:
  static bool has(const Lease& lease) { return TransportT::shared_pool::is_of_one(lease); }
  template <class ChannelT>
  Result<OutOfLineBytes> make(ChannelT&, std::size_t bytes) {
    return make(bytes);
  }
  Result<OutOfLineBytes> make(std::size_t bytes) {
    if (!pool_) {
      auto pool = TransportT::shared_pool::create(TransportT::max_shared_bytes);
      if (!pool) return pool.error();
      pool_ = std::move(*pool);
    }
    auto lease = pool_->allocate(bytes);
    if (!lease) return lease.error();
    return OutOfLineAccess::bytes(std::move(*lease), bytes);
  }

 private:
  typename TransportT::shared_pool::Owned pool_;
};

/// Sends one message to many channels: it is serialized once, and lies in memory that all receivers
/// map if it goes out of line.
template <class ChannelT>
class FanOut {
  using TransportT = typename ChannelT::transport;
  using SerializerT = typename ChannelT::serializer;

 public:
  /// For when one of the channels goes elsewhere: what is sent from now on lies in other memory
  /// than what that one has mapped.
  void renew_buffers() { buffers_ = {}; }

  /// A buffer for a message to all of the channels that `channels.for_each(visit)` visits.
  ///
  /// Errors: `message_too_large`; the system's.
  template <class Channels>
  Result<OutOfLineBytes> make_buffer(Channels& channels, std::size_t bytes) {
    if (bytes > ChannelT::channel_options.max_message_bytes) return Errc::message_too_large;
    if constexpr (lends_to_many<TransportT>) {
      if (bytes >= TransportT::out_of_line_from) {
        if (auto buffer = buffers_.make(bytes)) return buffer;
      }
    } else {
      ChannelT* first = nullptr;
      channels.for_each([&](ChannelT& channel) { first = first == nullptr ? &channel : first; });
      if (first != nullptr) return first->out_of_line_bytes(bytes);
    }
    auto lease = PrivateMemory::create(bytes);
    if (!lease) return lease.error();
    return OutOfLineAccess::bytes(std::move(*lease), bytes);
  }
  template <class T, class Channels>
  Result<OutOfLine<T>> make_typed(Channels& channels) {
    static_assert(SerializerT::template accepts<T>,
                  "strait: the channels' serializer does not know this type of message.");
    static_assert(HasMessageBytes<SerializerT, T>,
                  "strait: this type of message is not sent as it lies in memory, so it can't lie "
                  "out of line.");
    auto buffer = make_buffer(channels, sizeof(T));
    if (!buffer) return buffer.error();
    return OutOfLineAccess::typed<T>(std::move(OutOfLineAccess::lease(*buffer)));
  }

  /// Sends to each channel, and returns how many have taken it.
  template <class Channels, class Message>
  std::size_t send(Channels& channels, const Message& message) {
    constexpr bool in_memory = lies_in_memory<Message>();
    constexpr bool shares = shares_regions<TransportT>;
    std::size_t count = 0;
    ChannelT* first = nullptr;
    channels.for_each([&](ChannelT& channel) {
      if (count++ == 0) first = &channel;
    });
    if constexpr (is_out_of_line<Message> && lends_to_many<TransportT> &&
                  !BuiltOutOfLine<Message>) {
      // What lies in memory for one of them is copied once, to memory for all.
      if (count > 1 && !buffers_.has(OutOfLineAccess::lease(const_cast<Message&>(message)))) {
        return send(channels, OutOfLineAccess::message(message));
      }
    }
    if constexpr (is_out_of_line<Message> || (in_memory && !shares)) {
      return send_as_it_is(message, channels);
    } else {
      if (count < 2) return send_as_it_is(message, channels);
      if constexpr (ChecksMessage<SerializerT, Message>) {
        if (!SerializerT::check(message)) return 0;
      }
      if constexpr (EncodesMessage<SerializerT, Message>) {
        constexpr std::size_t max_bytes = ChannelT::channel_options.max_message_bytes;
        const auto bytes = encoder_.template encode<SerializerT>(message, max_bytes);
        if (!bytes) return 0;
        return send_bytes<Message>(*first, SerializerT::tag(message), *bytes, channels);
      } else {
        return send_written(*first, message, channels);
      }
    }
  }

 private:
  template <class Message>
  static constexpr bool lies_in_memory() {
    if constexpr (is_out_of_line<Message>) {
      return true;  // of what is no message itself the serializer is not asked
    } else {
      return HasMessageBytes<SerializerT, Message>;
    }
  }

  template <class Message, class Channels>
  static std::size_t send_as_it_is(const Message& message, Channels& channels) {
    std::size_t taken = 0;
    // Sending a buffer as it is leaves it to the caller, whose buffer is const here.
    auto& sent = const_cast<Message&>(message);
    channels.for_each([&](ChannelT& channel) { taken += channel.send(sent).has_value(); });
    return taken;
  }

  template <class Message, class Payload, class Channels>
  static std::size_t send_payload(const Payload& payload, Channels& channels) {
    std::size_t taken = 0;
    channels.for_each([&](ChannelT& channel) {
      taken += channel.template send_payload<Message>(payload).has_value();
    });
    return taken;
  }

  /// Whether `channel`, or the pool for all, has made a region of this size, for
  /// `write(std::byte*)` to fill; it was sent then.
  template <class Message, class Write, class Channels>
  bool send_region(ChannelT& channel, std::uint16_t tag, std::size_t size, const Write& write,
                   Channels& channels, std::size_t& taken) {
    if constexpr (shares_regions<TransportT>) {
      if (size < TransportT::out_of_line_from) return false;
      auto region = buffers_.make(channel, size);
      if (!region) return false;
      const auto room = region->writable();
      if (!room) return false;
      write(room->data());
      const SharedPayload payload(tag, *region, OutOfLineAccess::lease(*region));
      taken = send_payload<Message>(payload, channels);
      return true;
    } else {
      return false;
    }
  }

  template <class Message, class Channels>
  std::size_t send_bytes(ChannelT& first, std::uint16_t tag, std::span<const std::byte> bytes,
                         Channels& channels) {
    const auto write = [&](std::byte* out) { std::memcpy(out, bytes.data(), bytes.size()); };
    std::size_t taken = 0;
    if (!send_region<Message>(first, tag, bytes.size(), write, channels, taken)) {
      taken = send_payload<Message>(PlainPayload(tag, bytes.size(), bytes.data()), channels);
    }
    return taken;
  }

  template <class Message, class Channels>
  std::size_t send_written(ChannelT& first, const Message& message, Channels& channels) {
    const auto size = SerializerT::size(message);
    if (size > ChannelT::channel_options.max_message_bytes) return 0;
    const auto write = [&](std::byte* out) { SerializerT::write(message, out); };
    const std::uint16_t tag = SerializerT::tag(message);
    std::size_t taken = 0;
    if (send_region<Message>(first, tag, size, write, channels, taken)) return taken;
    if constexpr (HasMessageBytes<SerializerT, Message>) {
      return send_as_it_is(message, channels);
    } else {
      // Its own buffer: `write` may itself send something to all.
      ByteBuffer written = std::exchange(written_, ByteBuffer());
      written.clear();
      if (!written.reserve(size)) return 0;
      write(written.data());
      taken = send_payload<Message>(PlainPayload(tag, size, written.data()), channels);
      written_ = std::move(written);
      return taken;
    }
  }

  [[no_unique_address]] SharedBuffers<TransportT> buffers_;
  Encoder encoder_;
  ByteBuffer written_;
};

}  // namespace strait::detail
