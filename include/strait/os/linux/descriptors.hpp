#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "strait/os/posix/descriptor.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// For `recvmsg`: descriptors that come are closed on exec from the start.
inline constexpr int receive_close_on_exec = MSG_CMSG_CLOEXEC;

/// The control message with a descriptor of the sender's process (SCM_PIDFD, since Linux 6.5).
inline constexpr int sender_descriptor = 4;

/// Has each message come with its sender's credentials, even one without a byte, which is told from
/// the end of the stream by that.
inline void tell_messages_from_the_end(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

/// Has the kernel turn away descriptors that are sent to this socket, or to those that connect to
/// it. Since Linux 6.16 (SO_PASSRIGHTS).
inline void refuse_descriptors(int socket) {
  constexpr int pass_rights = 83;
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, pass_rights, &off, sizeof off);
}

/// Owns a descriptor that `recvmsg` has made: null when there is no number for it, see `adopt_new`.
inline Descriptor adopt_received(int fd) { return adopt_new(fd); }

/// As `adopt_new`, for two. Errors: those of `fcntl`.
inline Result<std::array<Descriptor, 2>> adopt_pair(const int (&fds)[2]) {
  Descriptor second(fds[1]);
  std::array pair{adopt_new(fds[0]), Descriptor()};
  if (!pair[0]) return last_error();
  pair[1] = adopt_new(second.release());
  if (!pair[1]) return last_error();
  return pair;
}

/// Two connected sockets, closed on exec. Use MSG_NOSIGNAL to send.
inline Result<std::array<Descriptor, 2>> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return last_error();
  return adopt_pair(ends);
}

/// A type of Unix socket that keeps packets apart, and gives what an end had sent that is closed.
inline constexpr int packet_socket = SOCK_SEQPACKET;
inline Result<std::array<Descriptor, 2>> packet_pair() { return socket_pair(packet_socket); }

/// Whether a Unix socket of this type is connected, or was until its peer closed.
inline bool was_connected(int fd, int) {
  sockaddr_un address;
  socklen_t size = sizeof address;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

/// A stream socket that does not block, closed on exec.
inline Result<Descriptor> stream_socket() {
  auto socket = adopt_new(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return last_error();
  return socket;
}

/// The next one that connects to a socket that listens and does not block; neither does this one.
///
/// Errors: `would_block`; those of `accept`.
inline Result<Descriptor> accept_from(const Descriptor& listening) {
  for (;;) {
    Descriptor client = adopt_new(retry([&] {
      return ::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }));
    if (client) return client;
    if (errno == EAGAIN) return Errc::would_block;
    if (errno != ECONNABORTED) return last_error();
  }
}

/// A pipe's reading and writing end, neither of which blocks, closed on exec.
inline Result<std::array<Descriptor, 2>> pipe_pair() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return last_error();
  return adopt_pair(ends);
}

/// The process at the other end of a connected Unix socket when it was made.
inline Result<PeerCredentials> peer_credentials(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return last_error();
  return PeerCredentials{peer.uid, peer.gid, peer.pid};
}

}  // namespace strait::os
