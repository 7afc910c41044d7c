#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

#include "strait/base/object_bytes.hpp"
#include "strait/base/slice.hpp"
#include "strait/mach/linux/link_ports.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/linux/shared_memory_file.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::linux_mach {

using strait::detail::Slice;

/// The two ports of a link that came from another process; and of a message that had come in part a
/// sealed file of its bytes, and all its rights.
struct Ports {
  ReceiveRight in;
  SendRight out;
  os::Descriptor begun;
  strait::detail::RightList rights;
};

/// The first packet of a packed endpoint, a socket in which all of a link waits for its next owner.
/// With it come the link's socket, the memory of both lanes and, if a message had come in part, the
/// file of its bytes; in the next packets the other descriptors that had come and were not given
/// yet.
struct PackedEndpointLabel {
  static constexpr std::uint64_t own_magic = 0x31646e6574726173;

  std::uint64_t magic;
  std::uint64_t read_position;
  std::uint64_t write_position;
  /// 1 if a message had come in part.
  std::uint32_t begun;
  /// How many of the next packets' descriptors are that message's; the others are those of messages
  /// that are unread.
  std::uint32_t rights;
};
static_assert(sizeof(PackedEndpointLabel) == 32);

/// Makes one descriptor of a link's ports. They stay as they are until their owner drops them, and
/// must not be used any more if this succeeds.
///
/// Errors: those of the system; why nothing more would come, or could be sent; `unsupported` for
/// those whose memory has no file any more.
inline Result<os::Descriptor> pack(ReceiveRight& in, const SendRight& out,
                                   const os::Descriptor& begun,
                                   const strait::detail::RightList& rights) {
  if (!in.memory_file() || !out.memory_file()) return Errc::unsupported;
  if (auto settled = in.settle(); !settled) return settled.error();
  const std::array contents{in.socket().handle(), in.memory_file().get(), out.memory_file().get(),
                            begun.get()};
  auto packed = os::socket_pair(SOCK_SEQPACKET);
  if (!packed) return packed.error();
  const int way_in = (*packed)[0].get();
  const PackedEndpointLabel label{PackedEndpointLabel::own_magic, in.position(), out.position(),
                                  begun ? 1u : 0u, static_cast<std::uint32_t>(rights.size())};
  auto put = os::send_packet(way_in, strait::detail::object_bytes(label),
                             Slice<const int>(contents).first(3 + label.begun));
  std::array<int, os::max_descriptors> some;
  std::size_t count = 0;
  const auto add = [&](int descriptor) {
    some[count++] = descriptor;
    if (count == some.size() && put) {
      put = os::send_packet(way_in, strait::detail::object_bytes(doorbell), some);
      count = 0;
    }
  };
  rights.for_each([&](const strait::detail::Right& right) { add(right.descriptor.get()); });
  const os::DescriptorQueue& unread = in.descriptors();
  for (std::size_t i = 0; i != unread.size() && put; ++i) add(unread.at(i));
  if (put && count != 0) {
    put = os::send_packet(way_in, strait::detail::object_bytes(doorbell),
                          Slice<const int>(some).first(count));
  }
  if (!put) return put.error();
  return std::move((*packed)[1]);
}

namespace detail {

/// All descriptors that wait in a packed endpoint's later packets: first those of the message that
/// has begun.
inline Result<os::DescriptorQueue> unpack_rest(const os::Descriptor& packed, std::size_t rights,
                                               strait::detail::RightList& begun) {
  os::DescriptorQueue unread;
  for (;;) {
    std::array<std::byte, 1> packet;
    os::DescriptorQueue some;
    const auto got = os::receive_packet(packed.get(), packet, some);
    if (!got && (got.error() == Errc::would_block || got.error() == Errc::peer_closed)) break;
    if (!got) return got.error();
    if (some.size() == 0) return Errc::wrong_right;
    while (some.size() != 0) {
      if (begun.size() != rights) {
        if (!begun.push({some.pop()})) {
          return strait::detail::no_memory();
        }
      } else if (unread.size() != unread.capacity) {
        unread.push(some.pop());
      } else {
        return Errc::wrong_right;
      }
    }
  }
  if (begun.size() != rights) return Errc::wrong_right;
  return unread;
}

}  // namespace detail

/// The ports in a packed endpoint that a peer made, where `inline_bytes` can be sent in one piece.
/// What is no packed endpoint, or is one whose lanes this process has no descriptors for now, is
/// left as it is.
///
/// Errors: `wrong_right`, `malformed`, `bad_region` if it isn't one; `rights_lost`.
inline Result<Ports> unpack(const os::Descriptor& packed, std::size_t inline_bytes) {
  if (!os::is_connected_socket(packed.get(), SOCK_SEQPACKET)) return Errc::wrong_right;
  PackedEndpointLabel label;
  os::DescriptorQueue contents;
  // Only a look: the packet, with descriptors of its own, stays.
  const auto got = os::receive_packet(packed.get(), strait::detail::writable_object_bytes(label),
                                      contents, MSG_PEEK);
  if (!got) return got.error() == Errc::rights_lost ? got.error() : Errc::wrong_right;
  if (*got != sizeof label || label.magic != PackedEndpointLabel::own_magic || label.begun > 1 ||
      contents.size() != 3 + label.begun || label.rights > strait::detail::max_rights ||
      (label.rights != 0 && label.begun == 0)) {
    return Errc::wrong_right;
  }
  auto link = LinkPorts::adopt(contents, {label.read_position, label.write_position});
  if (!link) return link.error();
  if (link->out.max_inline_bytes() < inline_bytes) return Errc::bad_region;
  Ports ports;
  if (label.begun != 0) {
    os::UnseenDescriptor begun = contents.pop();
    if (!os::closes_at_once(begun.get())) return Errc::bad_region;
    ports.begun = std::move(begun);
    const auto size = sealed_size(ports.begun.get(), seals_of_content);
    if (!size) return size.error();
  }
  ports.in = std::move(link->in);
  ports.out = std::move(link->out);
  std::byte seen[1];
  os::receive_plain(packed.get(), seen);
  auto unread = detail::unpack_rest(packed, label.rights, ports.rights);
  if (!unread) return unread.error();
  ports.in.put_back(std::move(*unread));
  return ports;
}

}  // namespace strait::linux_mach
