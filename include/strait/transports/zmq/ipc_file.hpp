#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "strait/os/posix/error.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The file of a socket that libzmq listens at by `ipc://PATH`. libzmq removes whatever stands
/// there before it listens, be it another file or a live server's socket, and leaves its own.
class ZmqIpcFile {
 public:
  /// For an endpoint that is to be listened at; empty for all others, and for an abstract name or
  /// one that libzmq is to choose.
  explicit ZmqIpcFile(std::string_view endpoint) {
    constexpr std::string_view front = "ipc://";
    if (!endpoint.starts_with(front)) return;
    endpoint.remove_prefix(front.size());
    if (!endpoint.empty() && endpoint[0] != '@' && endpoint != "*") path_ = endpoint;
  }

  /// Errors: `name_taken` if a server listens there, or what stands there is no socket;
  /// `invalid_name`; the system's.
  Result<void> check_free() const {
    struct stat file;
    if (path_.empty() || ::lstat(path_.c_str(), &file) != 0) return {};
    if (!S_ISSOCK(file.st_mode)) return Errc::name_taken;
    const auto path = os::SocketPath::of(path_);
    if (!path) return path.error();
    const auto socket = os::stream_socket();
    if (!socket) return socket.error();
    if (::connect(socket->get(), path->get(), path->size) == 0) return Errc::name_taken;
    // Its server is gone.
    if (errno == ECONNREFUSED || errno == ENOENT) return {};
    // It has no room for one more client, or is not this user's.
    return errno == EAGAIN ? make_error_code(Errc::name_taken) : os::last_error();
  }

  /// Remembers which file it is, after libzmq has begun to listen.
  void claim() {
    struct stat file;
    if (path_.empty() || ::lstat(path_.c_str(), &file) != 0) return path_.clear();
    device_ = file.st_dev;
    node_ = file.st_ino;
  }

  /// Removes it, unless another one stands there by now.
  void remove() {
    struct stat file;
    if (path_.empty() || ::lstat(path_.c_str(), &file) != 0) return;
    if (file.st_dev == device_ && file.st_ino == node_) ::unlink(path_.c_str());
    path_.clear();
  }

 private:
  std::string path_;
  dev_t device_{};
  ino_t node_{};
};

}  // namespace strait::detail
