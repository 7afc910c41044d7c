#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait {

/// A socket that listens already, which a service manager has made and handed to this process, as
/// systemd does for a unit with a .socket: for `Channel::listen` and `Acceptor::listen` in place of
/// a name. Clients use the name that leads to it:
///
///     transport          .socket unit                              name
///     SocketTransport    ListenStream=/run/calc/hello              /run/calc
///                        ListenStream=%t/strait/calc/hello         calc (of a user's own manager)
///     MachTransport      ListenSequentialPacket=/run/calc.socket   /run/calc.socket
///     (on Linux)         ListenSequentialPacket=\@strait.calc       calc
///
/// To its clients the server is the user whose manager listens. Root's is no peer of another user's
/// clients unless they have `PeerPolicy::any_user`; which clients may connect, `SocketMode=` says.
class ActivatedSocket {
 public:
  /// The socket that was handed over with this name (`FileDescriptorName=`, else the name of the
  /// unit); without a name, the next one. Each can be taken once, and is not inherited any more.
  ///
  /// Errors: `not_found` if there is none: this process was started otherwise, or all such sockets
  /// are taken; `std::errc::invalid_argument` if the environment (`LISTEN_PID`, `LISTEN_FDS`,
  /// `LISTEN_FDNAMES`) contradicts itself; the system's. Threads: any.
  static Result<ActivatedSocket> take(std::string_view name = {}) {
    const char* const process = ::getenv("LISTEN_PID");
    const char* const count_text = ::getenv("LISTEN_FDS");
    if (process == nullptr || count_text == nullptr) return Errc::not_found;
    const auto pid = number(process);
    const auto count = number(count_text);
    if (pid < 0 || count < 0 || count > max_sockets) {
      return std::make_error_code(std::errc::invalid_argument);
    }
    // Meant for a process that this one was forked from.
    if (pid != ::getpid()) return Errc::not_found;
    const char* const names_text = ::getenv("LISTEN_FDNAMES");
    std::string_view names(names_text != nullptr ? names_text : "");
    for (int i = 0; i != static_cast<int>(count); ++i) {
      const auto end = names.find(':');
      const std::string_view its = names.substr(0, end);
      names = end == names.npos ? std::string_view() : names.substr(end + 1);
      if (!name.empty() && its != name) continue;
      const std::uint64_t bit = std::uint64_t{1} << i;
      // Relaxed: nothing is read on account of it.
      if ((taken_.fetch_or(bit, detail::MemoryOrder::relaxed) & bit) != 0) continue;
      return adopt(first_descriptor + i);
    }
    return Errc::not_found;
  }

  // For the library's own parts.

  /// The socket, if it is what a transport with sockets of this type can listen at.
  ///
  /// Errors: `std::errc::not_a_socket`; `address_family_not_supported`: it is no Unix socket;
  /// `wrong_protocol_type`: it is of another type; `invalid_argument`: it does not listen, as with
  /// `Accept=yes`.
  Result<os::Descriptor> listening(int type) && {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return os::last_error();
    }
    if (address.sun_family != AF_UNIX) return os::system_error(EAFNOSUPPORT);
    int value = 0;
    size = sizeof value;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_TYPE, &value, &size) != 0) {
      return os::last_error();
    }
    if (value != type) return os::system_error(EPROTOTYPE);
    size = sizeof value;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0) {
      return os::last_error();
    }
    if (value == 0) return os::system_error(EINVAL);
    return std::move(socket_);
  }

 private:
  static constexpr int first_descriptor = 3;
  static constexpr std::int64_t max_sockets = 64;

  explicit ActivatedSocket(os::Descriptor socket) : socket_(std::move(socket)) {}

  /// -1 if it is none.
  static std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    if (text.empty() || text.size() > 10) return -1;
    for (const char c : text) {
      if (c < '0' || c > '9') return -1;
      value = 10 * value + (c - '0');
    }
    return value;
  }

  static Result<ActivatedSocket> adopt(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return os::last_error();
    os::Descriptor socket(fd);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
      return os::last_error();
    }
    return ActivatedSocket(std::move(socket));
  }

  /// A bit for each socket: its number may be another file's later.
  static inline detail::Atomic<std::uint64_t> taken_{0};

  os::Descriptor socket_;
};

}  // namespace strait
