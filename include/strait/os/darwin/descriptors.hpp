#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "strait/os/posix/descriptor.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// macOS has neither MSG_CMSG_CLOEXEC nor SOCK_CLOEXEC: a descriptor is marked just after it was
/// made, and may slip into a child that another thread starts in between. A child started with
/// POSIX_SPAWN_CLOEXEC_DEFAULT gets none of them.
inline constexpr int receive_close_on_exec = 0;

/// Linux has such a control message; here there is none.
inline constexpr int sender_descriptor = -1;
inline void tell_messages_from_the_end(int) {}
inline void refuse_descriptors(int) {}

/// Owns a descriptor that `recvmsg` has made: null when there is no number for it, see `adopt_new`.
inline Descriptor adopt_received(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return adopt_new(fd);
}

/// The same for two. Errors: those of `fcntl`.
inline Result<std::array<Descriptor, 2>> adopt_pair(const int (&fds)[2]) {
  Descriptor second(fds[1]);
  std::array pair{adopt_received(fds[0]), Descriptor()};
  if (!pair[0]) return last_error();
  pair[1] = adopt_received(second.release());
  if (!pair[1]) return last_error();
  return pair;
}

/// Two connected sockets, closed on exec. There is no SOCK_SEQPACKET among Unix sockets.
inline Result<std::array<Descriptor, 2>> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type, 0, ends) != 0) return last_error();
  auto pair = adopt_pair(ends);
  if (!pair) return pair;
  // MSG_NOSIGNAL came with macOS 13; this one has always been there.
  const int on = 1;
  for (const Descriptor& end : *pair) {
    if (::setsockopt(end.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) return last_error();
  }
  return pair;
}

/// A type of Unix socket that keeps packets apart, and gives what an end had sent that is closed.
inline constexpr int packet_socket = SOCK_DGRAM;
/// Two of them. What is in them before it is read has to fit the reader's room, which is 4 KiB
/// unless more is asked for; descriptors need some, too.
inline Result<std::array<Descriptor, 2>> packet_pair() {
  auto pair = socket_pair(packet_socket);
  if (!pair) return pair;
  const int room = 64 << 10;
  for (const Descriptor& end : *pair) {
    for (const int which : {SO_RCVBUF, SO_SNDBUF}) {
      if (::setsockopt(end.get(), SOL_SOCKET, which, &room, sizeof room) != 0) return last_error();
    }
  }
  return pair;
}

/// Whether a Unix socket of this type is connected, or was until its peer closed. From what XNU's
/// sources say; not tried on a Mac yet.
inline bool was_connected(int fd, int type) {
  sockaddr_un address;
  socklen_t size = sizeof address;
  // Of a datagram socket nothing tells that it had a peer once. A stream that both sides have shut
  // says EINVAL, one that never was connected ENOTCONN.
  return type == packet_socket ||
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 || errno == EINVAL;
}

/// A stream socket that does not block, closed on exec.
inline Result<Descriptor> stream_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return last_error();
  Descriptor socket = adopt_received(fd);
  const int on = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0 ||
      ::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) {
    return last_error();
  }
  return socket;
}

/// The next one that connects to a socket that listens and does not block; neither does this one.
///
/// Errors: `would_block`; those of `accept`.
inline Result<Descriptor> accept_from(const Descriptor& listening) {
  for (;;) {
    const int fd = retry([&] { return ::accept(listening.get(), nullptr, nullptr); });
    if (fd >= 0) {
      Descriptor client = adopt_received(fd);
      if (!client) return last_error();
      const int on = 1;
      // Fails when the client is gone already: no matter, as it will never be written to.
      ::setsockopt(client.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
      if (::fcntl(client.get(), F_SETFL, O_NONBLOCK) != 0) return last_error();
      return client;
    }
    if (errno == EAGAIN) return Errc::would_block;
    if (errno != ECONNABORTED) return last_error();
  }
}

/// A pipe's reading and writing end, neither of which blocks, closed on exec.
inline Result<std::array<Descriptor, 2>> pipe_pair() {
  int ends[2];
  if (::pipe(ends) != 0) return last_error();
  auto pair = adopt_pair(ends);
  if (!pair) return pair;
  for (const Descriptor& end : *pair) {
    if (::fcntl(end.get(), F_SETFL, O_NONBLOCK) != 0) return last_error();
  }
  return pair;
}

/// The process at the other end of a connected Unix socket when it was made.
inline Result<PeerCredentials> peer_credentials(int socket) {
  uid_t user = 0;
  gid_t group = 0;
  if (::getpeereid(socket, &user, &group) != 0) return last_error();
  pid_t process = 0;
  socklen_t size = sizeof process;
  if (::getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &process, &size) != 0) return last_error();
  return PeerCredentials{user, group, process};
}

}  // namespace strait::os
