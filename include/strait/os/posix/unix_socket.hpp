#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "strait/os/descriptors.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// The address of a socket in the file system.
struct SocketPath {
  sockaddr_un address{};
  socklen_t size = 0;

  /// Errors: `invalid_name` if it is longer than the system's addresses.
  static Result<SocketPath> of(std::string_view path) {
    SocketPath socket;
    if (path.size() >= sizeof socket.address.sun_path) return Errc::invalid_name;
    socket.address.sun_family = AF_UNIX;
    std::memcpy(socket.address.sun_path, path.data(), path.size());
    socket.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return socket;
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

/// Gives the file of a socket that is bound but does not listen yet the mode that lets these peers
/// connect and no others, whatever the umask made of it. (That others are kept out is certain only
/// when the handshake has looked at them: without /proc Linux can't change the mode.)
inline Result<void> set_socket_mode(const SocketPath& path, PeerPolicy peers) {
  const mode_t wanted = peers == PeerPolicy::any_user ? 0666 : 0600;
  struct stat file;
  const char* const name = path.address.sun_path;
  if (::lstat(name, &file) != 0) return last_error();
  if (!S_ISSOCK(file.st_mode)) return Errc::name_taken;  // another one has put itself there
  if ((file.st_mode & 0777) == wanted) return {};
  const bool set = ::fchmodat(AT_FDCWD, name, wanted, AT_SYMLINK_NOFOLLOW) == 0;
  return set || peers == PeerPolicy::same_user ? Result<void>() : last_error();
}

/// A stream socket that listens under a path, to which only these peers can connect.
///
/// Errors: `name_taken`; the system's.
inline Result<Descriptor> listen_at(const SocketPath& path, PeerPolicy peers) {
  auto socket = stream_socket();
  if (!socket) return socket;
  if (::bind(socket->get(), path.get(), path.size) != 0) return last_error();
  if (auto set = set_socket_mode(path, peers); !set) return set.error();
  if (::listen(socket->get(), SOMAXCONN) != 0) return last_error();
  return socket;
}

/// For those that ask for a type of socket without its header.
inline constexpr int stream_type = SOCK_STREAM;

/// Two ends of a stream. Errors: the system's.
inline Result<std::array<Descriptor, 2>> stream_pair() { return socket_pair(SOCK_STREAM); }

/// How many bytes the next packet has, at most `most`; 0 if there is none.
inline std::size_t next_packet_bytes(const Descriptor& socket, std::size_t most) {
  std::array<std::byte, 16> look;
  const ssize_t got = ::recv(socket.get(), look.data(), most < look.size() ? most : look.size(),
                             MSG_PEEK | MSG_DONTWAIT);
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

/// Whether a descriptor that came from a peer is one end of a Unix socket of this type that is
/// connected, or was until its peer closed.
inline bool is_connected_socket(int fd, int type) {
  sockaddr_un address;
  socklen_t size = sizeof address;
  int actual = 0;
  socklen_t actual_size = sizeof actual;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sun_family == AF_UNIX &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &actual, &actual_size) == 0 && actual == type &&
         was_connected(fd, type);
}

inline bool is_connected_stream(int fd) { return is_connected_socket(fd, SOCK_STREAM); }

}  // namespace strait::os
