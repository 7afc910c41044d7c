#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "strait/base/slice.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/posix/close_unseen.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// As many descriptors as the kernel lets one message carry (SCM_MAX_FD).
inline constexpr std::size_t max_descriptors = 253;

/// Descriptors that came with messages, oldest first; those that are not taken are closed.
class DescriptorQueue {
 public:
  static constexpr std::size_t capacity = 512;

  DescriptorQueue() = default;
  DescriptorQueue(DescriptorQueue&& other) noexcept { swap(other); }
  DescriptorQueue& operator=(DescriptorQueue&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DescriptorQueue() { truncate(0); }

  std::size_t size() const { return size_; }
  /// The one that `pop` would give after `index` others.
  int at(std::size_t index) const { return descriptors_[(first_ + index) % capacity].get(); }
  bool has_room() const { return capacity - size_ >= max_descriptors; }
  void push(Descriptor descriptor) {
    descriptors_[(first_ + size_++) % capacity] = std::move(descriptor);
  }
  Descriptor pop() {
    --size_;
    return std::move(descriptors_[std::exchange(first_, (first_ + 1) % capacity)]);
  }
  /// Closes the newest ones until `size` are left.
  void truncate(std::size_t size) {
    if (size_ <= size) return;
    std::array<int, capacity> closing;
    std::size_t count = 0;
    while (size_ > size) {
      closing[count++] = descriptors_[(first_ + --size_) % capacity].release();
    }
    close_unseen(detail::Slice<int>(closing).first(count));
  }

 private:
  void swap(DescriptorQueue& other) noexcept {
    for (std::size_t i = 0; i != capacity; ++i) std::swap(descriptors_[i], other.descriptors_[i]);
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
  }

  std::array<Descriptor, capacity> descriptors_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// Sends bytes, with descriptors, of which the kernel makes copies and which travel with the first
/// byte. Returns how many bytes there was room for. Never blocks, never raises SIGPIPE.
///
/// Errors: `would_block` when the socket is full; `peer_closed`; those of `sendmsg`, among them
/// that this user has too many descriptors under way (`ETOOMANYREFS`).
inline Result<std::size_t> send_parts(int socket, const iovec* parts, std::size_t part_count,
                                      detail::Slice<const int> descriptors = {}) {
  if (descriptors.size() > max_descriptors) return system_error(EINVAL);
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * max_descriptors)];
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(part_count);
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen =
        static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(descriptors.size_bytes()));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(descriptors.size_bytes()));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    // What fills up the space behind them goes to the kernel, too.
    const std::size_t end = CMSG_LEN(descriptors.size_bytes());
    std::memset(control + end, 0, CMSG_SPACE(descriptors.size_bytes()) - end);
  }
  const ssize_t sent =
      retry([&] { return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent >= 0) return static_cast<std::size_t>(sent);
  switch (errno) {
    case EAGAIN: return Errc::would_block;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN: return Errc::peer_closed;
    default: return last_error();
  }
}
inline Result<std::size_t> send_parts(int socket, detail::Slice<const iovec> parts,
                                      detail::Slice<const int> descriptors = {}) {
  return send_parts(socket, parts.data(), parts.size(), descriptors);
}

/// As `send_parts`, one packet, whole or not at all.
inline Result<void> send_packet(int socket, std::span<const std::byte> bytes,
                                detail::Slice<const int> descriptors = {}) {
  const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const auto sent = send_parts(socket, &part, 1, descriptors);
  return sent ? Result<void>() : sent.error();
}

/// What `recvmsg` gives.
struct Received {
  ssize_t bytes = -1;
  /// MSG_TRUNC, MSG_CTRUNC.
  int flags = 0;
};

/// Receives and calls `each(int)` for every descriptor that came in whatever form, which is its
/// owner then: a peer that shares the socket can have the kernel add a descriptor of the sender's
/// process (SO_PASSPIDFD), or more, at any time. Never blocks.
template <class Each>
Received receive_message(int socket, std::span<std::byte> bytes, int flags, Each&& each) {
  // Behind the rights there is room for all else that the kernel may add (credentials, a security
  // label), or it would cut off what comes last.
  constexpr std::size_t others = 512;
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * max_descriptors) + others];
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Received received;
  received.bytes = retry(
      [&] { return ::recvmsg(socket, &message, MSG_DONTWAIT | receive_close_on_exec | flags); });
  if (received.bytes < 0) return received;
  received.flags = message.msg_flags;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    const bool rights = header->cmsg_type == SCM_RIGHTS;
    if (!rights && header->cmsg_type != sender_descriptor) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i != count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      if (!rights) {
        Descriptor unasked(fd);  // a process: closing it can't take long
      } else {
        each(fd);
      }
    }
  }
  return received;
}

/// Receives one packet; descriptors that come with it go to `descriptors`, which must have room,
/// and are closed on exec. Never blocks. Returns how many bytes there were. With `MSG_PEEK` as
/// `flags` the packet stays, and its descriptors are copies: on Linux.
///
/// Errors: `would_block` when there is none (yet); `peer_closed`; `malformed` when the packet was
/// larger than `bytes`, `rights_lost` when this process had no room for all descriptors (those that
/// came are closed); those of `recvmsg`.
inline Result<std::size_t> receive_packet(int socket, std::span<std::byte> bytes,
                                          DescriptorQueue& descriptors, int flags = 0) {
  const std::size_t before = descriptors.size();
  bool lost = false;
  const auto receive = [&] {
    return receive_message(socket, bytes, flags, [&](int fd) {
      auto descriptor = adopt_received(fd);
      lost = lost || !descriptor;
      descriptors.push(std::move(descriptor));
    });
  };
  Received received = receive();
  // Said once when the peer has closed without reading all that it was sent. What it had sent
  // before stands behind that and is still good.
  if (received.bytes < 0 && errno == ECONNRESET) received = receive();
  if (received.bytes < 0) {
    if (errno == EAGAIN) return Errc::would_block;
    if (errno == ECONNRESET) return Errc::peer_closed;
    return last_error();
  }
  if (lost || (received.flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
    descriptors.truncate(before);
    return (received.flags & MSG_TRUNC) != 0 ? Errc::malformed : Errc::rights_lost;
  }
  // A packet has at least one byte here, so nothing at all is the end of the stream.
  if (received.bytes == 0 && descriptors.size() == before) return Errc::peer_closed;
  return static_cast<std::size_t>(received.bytes);
}

/// Receives a message that has no descriptors by the rules; if it does, they are closed. Returns
/// as `recv`.
inline ssize_t receive_plain(int socket, std::span<std::byte> bytes) {
  std::array<int, max_descriptors> unwanted;
  std::size_t count = 0;
  // The numbers of the standard streams are given back at once: the closing may take its time.
  const auto received = receive_message(
      socket, bytes, 0, [&](int fd) { unwanted[count++] = adopt_received(fd).release(); });
  if (count != 0) [[unlikely]]
    close_unseen(detail::Slice<int>(unwanted).first(count));
  return received.bytes;
}

/// Owns a socket at whose other end a peer is. What lies in it unread may bring descriptors, and
/// closing them with the socket could take long.
class PeerSocket : public Descriptor {
 public:
  PeerSocket() = default;
  explicit PeerSocket(Descriptor socket) noexcept : Descriptor(std::move(socket)) {}
  PeerSocket(PeerSocket&&) = default;
  PeerSocket& operator=(PeerSocket&& other) noexcept {
    if (this != &other) {
      reset();
      Descriptor::operator=(std::move(other));
    }
    return *this;
  }
  ~PeerSocket() { reset(); }

  void reset() noexcept {
    if (!*this) return;
    if (is_empty()) return Descriptor::reset();
    close_unseen(release());
  }

 private:
  /// Only looks: another owner of the same socket may go on with it.
  bool is_empty() const {
    for (int look = 0; look != 3; ++look) {
      std::byte byte;
      iovec part{&byte, 1};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      const ssize_t got =
          retry([&] { return ::recvmsg(get(), &message, MSG_PEEK | MSG_DONTWAIT); });
      if (got < 0 && errno == ECONNRESET) continue;  // said once
      if (got < 0) return errno == EAGAIN;
      if (got > 0 || (message.msg_flags & MSG_CTRUNC) != 0) return false;
      // A message without a byte, or the end.
      tell_messages_from_the_end(get());
    }
    return true;
  }
};

}  // namespace strait::os
