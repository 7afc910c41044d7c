#pragma once

// Mach messages as an attacker writes them, straight to the played kernel.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "support/message_kinds.hpp"
#include "support/scripted_mach.hpp"

namespace strait_test {

namespace mach = strait::darwin_mach;

using OwnedSend = mach::OwnedSend<ScriptedTraps>;
using OwnedReceive = mach::OwnedReceive<ScriptedTraps>;

/// A message written part by part. Nothing is put right.
class RawMessage {
 public:
  explicit RawMessage(mach::PortName to, std::int32_t id = mach::message_id)
      : bytes_(sizeof(mach::Header)) {
    header_.remote = to;
    header_.id = id;
  }

  RawMessage& reply(mach::PortName port,
                    mach::Disposition how = mach::Disposition::make_send_once) {
    header_.local = port;
    header_.bits |= mach::header_bits(mach::Disposition::none, how);
    return *this;
  }
  template <class Descriptor>
  RawMessage& add(const Descriptor& descriptor) {
    if (count_++ == 0) append(mach::Body{});
    append(descriptor);
    mach::write_at(bytes_.data(), sizeof(mach::Header), mach::Body{count_});
    header_.bits |= mach::complex_bit;
    return *this;
  }
  RawMessage& right(mach::PortName name, mach::Disposition how = mach::Disposition::copy_send) {
    return add(mach::PortDescriptor{name, 0, 0, how, mach::DescriptorType::port});
  }
  template <class T>
  RawMessage& append(const T& value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    mach::write_at(bytes_.data(), at, value);
    return *this;
  }
  RawMessage& append_bytes(std::span<const std::byte> body) {
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    bytes_.resize(mach::round_message(bytes_.size()));
    return *this;
  }
  /// Our own header and a body.
  RawMessage& body(std::uint8_t kind, std::span<const std::byte> body, std::uint16_t tag = 0) {
    append(strait::MessageHeader{static_cast<std::uint32_t>(body.size()), tag, kind, 0});
    return append_bytes(body);
  }
  std::vector<std::byte>& bytes() { return bytes_; }

  mach::Return send(mach::Disposition how = mach::Disposition::copy_send,
                    mach::Options options = mach::option::send | mach::option::send_timeout) {
    header_.bits |= mach::header_bits(how);
    header_.size = static_cast<std::uint32_t>(bytes_.size());
    mach::write_at(bytes_.data(), 0, header_);
    return ScriptedTraps::message(bytes_.data(), options, header_.size, 0, mach::null_port, 0);
  }

 private:
  mach::Header header_{};
  std::uint32_t count_ = 0;
  std::vector<std::byte> bytes_;
};

/// A port with a send right to it, under one name as Mach does it.
struct RawPort {
  explicit RawPort(std::uint32_t limit = 5)
      : receive(OwnedReceive::allocate(limit).value()), send(make_send(receive.name())) {}

  mach::PortName name() const { return receive.name(); }

  /// The next message, with room for its trailer; empty when there is none.
  std::vector<std::byte> next(std::size_t room = 4096, mach::Options more = 0) const {
    std::vector<std::byte> bytes(room);
    last = ScriptedTraps::message(
        bytes.data(),
        mach::option::receive | mach::option::receive_timeout | mach::option::audit_trailer | more,
        0, static_cast<std::uint32_t>(room), receive.name(), 0);
    if (last != mach::success) bytes.clear();
    return bytes;
  }

  OwnedReceive receive;
  OwnedSend send;
  mutable mach::Return last = mach::success;

 private:
  static OwnedSend make_send(mach::PortName port) {
    REQUIRE(ScriptedTraps::make_send(port) == mach::success);
    return OwnedSend(port);
  }
};

/// The name of the right that a message of ours came with.
inline mach::PortName only_right(std::span<const std::byte> received) {
  const auto message = mach::message_of(received);
  REQUIRE(mach::parse(message).value().rights == 1);
  return mach::right_in(message, 0);
}

/// Gives back whatever came with a message.
inline void destroy(std::span<const std::byte> received) {
  mach::destroy<ScriptedTraps>(mach::message_of(received));
}

}  // namespace strait_test
