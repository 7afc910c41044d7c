#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "strait/peer.hpp"
#include "strait/posix/descriptor.hpp"

namespace strait::posix {

/// What `msg_controllen` and `cmsg_len` are.
using ControlLength = socklen_t;

/// macOS has neither MSG_CMSG_CLOEXEC nor SOCK_CLOEXEC: a descriptor is marked just after it was
/// made, and may slip into a child that another thread starts in between. A child started with
/// POSIX_SPAWN_CLOEXEC_DEFAULT gets none of them.
inline constexpr int receive_close_on_exec = 0;

/// Owns a descriptor that `recvmsg` has made.
inline Descriptor adopt_received(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Descriptor(fd);
}

/// Two connected sockets, closed on exec. There is no SOCK_SEQPACKET among Unix sockets.
inline Result<std::array<Descriptor, 2>> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type, 0, ends) != 0) return last_error();
  std::array pair{adopt_received(ends[0]), adopt_received(ends[1])};
  // MSG_NOSIGNAL came with macOS 13; this one has always been there.
  const int on = 1;
  for (const Descriptor& end : pair) {
    if (::setsockopt(end.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) return last_error();
  }
  return pair;
}

/// A pipe's reading and writing end, neither of which blocks, closed on exec.
inline Result<std::array<Descriptor, 2>> pipe_pair() {
  int ends[2];
  if (::pipe(ends) != 0) return last_error();
  std::array pair{adopt_received(ends[0]), adopt_received(ends[1])};
  for (const Descriptor& end : pair) {
    if (::fcntl(end.get(), F_SETFL, O_NONBLOCK) != 0) return last_error();
  }
  return pair;
}

/// Who was at the other end of a connected Unix socket when it was made.
inline Result<PeerCredentials> peer_credentials(int socket) {
  uid_t user = 0;
  gid_t group = 0;
  if (::getpeereid(socket, &user, &group) != 0) return last_error();
  pid_t process = 0;
  socklen_t size = sizeof process;
  if (::getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &process, &size) != 0) return last_error();
  return PeerCredentials{user, group, process};
}

}  // namespace strait::posix
