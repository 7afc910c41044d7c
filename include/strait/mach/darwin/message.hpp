#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "strait/base/slice.hpp"
#include "strait/mach/darwin/abi.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::darwin_mach {

using strait::detail::Slice;

/// `msgh_id` of all that strait sends: "strt", far from the kernel's own numbers.
inline constexpr std::int32_t message_id = 0x7374'7274;

/// Copies a `T` out of a message, where nothing is aligned to more than four.
template <class T>
T read_at(std::span<const std::byte> bytes, std::size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void write_at(std::byte* message, std::size_t offset, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(message + offset, &value, sizeof value);
}

/// Calls `visit` with each descriptor of a message, in order, and returns where the data behind
/// them begins. `message` is the message alone, as long as its header says.
///
/// Errors: `malformed` when it is shorter than its parts, or has a descriptor of a kind that does
/// not exist; what was seen before that was visited.
template <class Visit>
Result<std::size_t> visit_descriptors(std::span<const std::byte> message, Visit&& visit) {
  if (message.size() < sizeof(Header)) return Errc::malformed;
  std::size_t at = sizeof(Header);
  // Without this bit the kernel has not looked: what lies there is data, whatever it looks like.
  if ((read_at<Header>(message, 0).bits & complex_bit) == 0) return at;
  if (message.size() < at + sizeof(Body)) return Errc::malformed;
  const std::uint32_t count = read_at<Body>(message, at).descriptors;
  at += sizeof(Body);
  const auto visit_one = [&]<class Descriptor>(const Descriptor*) {
    if (message.size() - at < sizeof(Descriptor)) return false;
    visit(read_at<Descriptor>(message, at));
    at += sizeof(Descriptor);
    return true;
  };
  for (std::uint32_t i = 0; i != count; ++i) {
    // In every kind of descriptor the twelfth byte tells the kind; their sizes differ.
    if (message.size() - at < sizeof(PortDescriptor)) return Errc::malformed;
    bool visited = false;
    switch (read_at<DescriptorType>(message, at + offsetof(PortDescriptor, type))) {
      case DescriptorType::port:
        visited = visit_one(static_cast<const PortDescriptor*>(nullptr));
        break;
      case DescriptorType::memory:
      case DescriptorType::volatile_memory:
        visited = visit_one(static_cast<const MemoryDescriptor*>(nullptr));
        break;
      case DescriptorType::ports:
        visited = visit_one(static_cast<const PortsDescriptor*>(nullptr));
        break;
      case DescriptorType::guarded_port:
        visited = visit_one(static_cast<const GuardedPortDescriptor*>(nullptr));
        break;
      default: break;
    }
    if (!visited) return Errc::malformed;
  }
  return at;
}

/// The message at the front of what was received, cut to the length that its header says; nothing
/// if it is longer than what is there.
inline std::span<const std::byte> message_of(std::span<const std::byte> received) {
  if (received.size() < sizeof(Header)) return {};
  const std::size_t size = read_at<Header>(received, 0).size;
  if (size < sizeof(Header) || size > received.size()) return {};
  return received.first(size);
}

/// The sender of a received message, which the kernel writes behind it.
///
/// Errors: `malformed` when it isn't there whole.
inline Result<AuditToken> sender_of(std::span<const std::byte> received) {
  const auto message = message_of(received);
  if (message.empty()) return Errc::malformed;
  const std::size_t at = round_message(message.size());
  if (at > received.size() || received.size() - at < sizeof(AuditTrailer)) return Errc::malformed;
  const auto trailer = read_at<AuditTrailer>(received, at);
  if (trailer.type != 0 || trailer.size < sizeof(AuditTrailer)) return Errc::malformed;
  return trailer.sender;
}

/// One of our own messages, taken apart. It owns nothing.
struct ParsedMessage {
  /// `descriptors` is what there really is.
  MessageHeader header;
  /// Where the body lies in the message.
  std::size_t body_at = 0;
  /// What came with it: rights, whose names `right_in` gives, or one region. The names and the
  /// address are those of this task.
  std::size_t rights = 0;
  std::uint64_t region_address = 0;
  std::uint32_t region_bytes = 0;
};

/// Takes apart one of our own messages; `message` is the message alone.
///
/// Errors: `malformed` if it is none, down to the last byte: lengths, padding, a right that isn't a
/// send right, memory of no size, too many rights, rights and memory, or a reply right.
inline Result<ParsedMessage> parse(std::span<const std::byte> message) {
  ParsedMessage parsed_message;
  std::uint32_t regions = 0;
  std::uint32_t others = 0;
  struct Visitor {
    ParsedMessage& parsed_message;
    std::uint32_t &regions, &others;

    void operator()(const PortDescriptor& port) {
      // One that is null was never a right; a dead one is, to a port that died under way.
      port.disposition == Disposition::move_send&& port.name != null_port ? ++parsed_message.rights
                                                                          : ++others;
    }
    void operator()(const MemoryDescriptor& memory) {
      memory.type == DescriptorType::memory&& memory.size != 0 ? ++regions : ++others;
      parsed_message.region_address = memory.address;
      parsed_message.region_bytes = memory.size;
    }
    void operator()(const PortsDescriptor&) { ++others; }
    void operator()(const GuardedPortDescriptor&) { ++others; }
  };
  const auto data_at = visit_descriptors(message, Visitor{parsed_message, regions, others});
  if (!data_at) return data_at.error();
  if (others != 0 || regions > (parsed_message.rights == 0 ? 1 : 0)) return Errc::malformed;
  if (parsed_message.rights > strait::detail::max_rights) return Errc::malformed;
  const auto header = read_at<Header>(message, 0);
  if (header.id != message_id || header.remote != null_port) return Errc::malformed;
  if (message.size() - *data_at < sizeof(MessageHeader)) return Errc::malformed;
  parsed_message.header = read_at<MessageHeader>(message, *data_at);
  parsed_message.header.descriptors = static_cast<std::uint8_t>(parsed_message.rights + regions);
  parsed_message.body_at = *data_at + sizeof(MessageHeader);
  const std::size_t room = message.size() - parsed_message.body_at;
  if (parsed_message.header.bytes > room || round_message(parsed_message.header.bytes) != room) {
    return Errc::malformed;
  }
  return parsed_message;
}

/// The name of a right that a message came with, which `parse` has counted.
inline PortName right_in(std::span<const std::byte> message, std::size_t index) {
  const std::size_t at = sizeof(Header) + sizeof(Body) + index * sizeof(PortDescriptor);
  return read_at<PortDescriptor>(message, at).name;
}

/// A message being laid out: header, descriptors, our own header, the body.
///
/// Each `lay_out` writes all that stands before the body, and the padding behind it, and returns
/// the size of the whole. The body is written by the caller, before or after, at `body_at()`.
inline constexpr std::size_t plain_body_at = sizeof(Header) + sizeof(MessageHeader);
template <class Descriptor>
inline constexpr std::size_t body_behind = sizeof(Header) + sizeof(Body) + sizeof(Descriptor) +
                                           sizeof(MessageHeader);
constexpr std::size_t body_behind_rights(std::size_t count) {
  return plain_body_at + sizeof(Body) + count * sizeof(PortDescriptor);
}

/// The bytes that any message of ours with a body of so many has at the most, with its trailer.
constexpr std::size_t received_bytes(std::size_t body_bytes) {
  return round_message(body_behind_rights(strait::detail::max_rights) + body_bytes) +
         max_trailer_bytes;
}

namespace detail {

inline std::size_t finish(std::byte* message, PortName to, std::size_t body_at,
                          const MessageHeader& header) {
  const std::size_t end = body_at + header.bytes;
  const std::size_t size = round_message(end);
  // No byte leaves that was not written.
  std::memset(message + end, 0, size - end);
  const std::uint32_t bits =
      header_bits(Disposition::copy_send) | (header.descriptors != 0 ? complex_bit : 0);
  write_at(message, body_at - sizeof header, header);
  write_at(message, 0,
           Header{bits, static_cast<std::uint32_t>(size), to, null_port, 0, message_id});
  return size;
}

}  // namespace detail

/// A message without anything. The destination is named by a send right that stays the caller's.
inline std::size_t lay_out(std::byte* message, PortName to, MessageHeader header) {
  header.descriptors = 0;
  return detail::finish(message, to, plain_body_at, header);
}

/// One with a descriptor, which stands for something that stays the caller's, too.
template <class Descriptor>
std::size_t lay_out(std::byte* message, PortName to, MessageHeader header,
                    const Descriptor& descriptor) {
  write_at(message, sizeof(Header), Body{1});
  write_at(message, sizeof(Header) + sizeof(Body), descriptor);
  header.descriptors = 1;
  return detail::finish(message, to, body_behind<Descriptor>, header);
}

inline PortDescriptor copy_of_right(PortName name) {
  return {name, 0, 0, Disposition::copy_send, DescriptorType::port};
}

/// One with rights, of which there must be some and not too many, and which stay the caller's.
inline std::size_t lay_out_rights(std::byte* message, PortName to, MessageHeader header,
                                  Slice<const PortName> rights) {
  write_at(message, sizeof(Header), Body{static_cast<std::uint32_t>(rights.size())});
  std::size_t at = sizeof(Header) + sizeof(Body);
  for (const PortName right : rights) {
    write_at(message, at, copy_of_right(right));
    at += sizeof(PortDescriptor);
  }
  header.descriptors = static_cast<std::uint8_t>(rights.size());
  return detail::finish(message, to, body_behind_rights(rights.size()), header);
}

/// Memory that the receiver gets a copy of, made by the memory manager when one side writes.
inline MemoryDescriptor copy_of_memory(const void* address, std::size_t size) {
  return {
      reinterpret_cast<std::uintptr_t>(address), 0, Copy::virtual_copy, 0, DescriptorType::memory,
      static_cast<std::uint32_t>(size)};
}

/// True when a failed send has given the message back as if it had been received: the kernel has
/// then turned the copied right to the destination into one that is the caller's to give back.
inline bool was_given_back(std::span<const std::byte> message) {
  return remote_right(read_at<Header>(message, 0).bits) == Disposition::move_send;
}

}  // namespace strait::darwin_mach
