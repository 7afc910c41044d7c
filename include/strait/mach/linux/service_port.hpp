#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/pending_clients.hpp"
#include "strait/mach/linux/lane.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/activated_socket.hpp"
#include "strait/os/posix/other_transport.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"

namespace strait::linux_mach {

/// Names are listening sockets. A plain name is an abstract address, which vanishes with its owner;
/// a name that is a path is a socket in the file system, to which this user may connect, or with
/// `PeerPolicy::any_user` all that can reach it in its directory.
struct Address : os::SocketPath {
  /// Errors: `invalid_name`.
  static Result<Address> of(std::string_view name) {
    if (auto checked = strait::detail::check_name(name); !checked) return checked.error();
    if (strait::detail::is_path(name)) {
      const auto path = SocketPath::of(name);
      return path ? Result<Address>(Address{*path}) : path.error();
    }
    // An abstract address begins with a zero and ends with its length.
    constexpr std::string_view prefix("\0strait.", 8);
    Address abstract;
    abstract.address.sun_family = AF_UNIX;
    prefix.copy(abstract.address.sun_path, prefix.size());
    name.copy(abstract.address.sun_path + prefix.size(), name.size());
    abstract.size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + prefix.size() + name.size());
    return abstract;
  }

  bool is_path() const { return address.sun_path[0] != '\0'; }
  const char* path() const { return address.sun_path; }
};

inline Result<os::Descriptor> new_socket() {
  auto socket = os::adopt_new(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os::last_error();
  return socket;
}

/// The right to send one request to the holder of a name.
class ServiceRight {
 public:
  /// Errors: `not_found`, `other_transport`, `invalid_name`, `would_block` when the server has too
  /// many waiting.
  static Result<ServiceRight> look_up(std::string_view name) {
    const auto address = Address::of(name);
    if (!address) return address.error();
    auto socket = new_socket();
    if (!socket) return socket.error();
    if (os::retry([&] { return ::connect(socket->get(), address->get(), address->size); }) != 0) {
      if (errno == ECONNREFUSED || errno == ENOENT) {
        return os::or_other_transport(Errc::not_found, name, os::MeetingPoint::mach_socket);
      }
      if (errno == EAGAIN) return Errc::would_block;
      return os::last_error();
    }
    return look_up(std::move(*socket));
  }

  /// The right to send one request over a socket that this process inherited.
  static Result<ServiceRight> look_up(os::Descriptor socket) {
    const auto credentials = os::peer_credentials(socket.get());
    if (!credentials) return credentials.error();
    ServiceRight right;
    right.socket_ = os::PeerSocket(std::move(socket));
    right.credentials_ = *credentials;
    return right;
  }

  const PeerCredentials& credentials() const { return credentials_; }

  /// The connection, over which the request is sent and the answer comes.
  os::PeerSocket take_socket() && { return std::move(socket_); }

 private:
  os::PeerSocket socket_;
  PeerCredentials credentials_;
};

/// What a client sent to a name. `failure` tells if it did not get so far.
struct Request {
  PeerCredentials credentials;
  std::error_code failure;
  strait::detail::HandshakeBytes body;
  /// Over which the answer goes.
  os::PeerSocket client;
};

/// Removes a socket's file in the end, if it still is the one that was made and no process has the
/// socket any more: a forked one may serve on.
class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(SocketFile&& other) noexcept
      : path_(std::move(other.path_)),
        device_(other.device_),
        inode_(other.inode_),
        owner_(other.owner_) {
    other.path_.clear();
  }
  SocketFile& operator=(SocketFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~SocketFile() {
    if (!path_.empty() && !is_bound()) remove();
  }

  /// For the process that has made it: removes it, even if another process has a copy of the
  /// socket.
  void withdraw() {
    if (owner_.is_this()) remove();
  }

  static Result<SocketFile> of(const char* path) {
    struct stat file;
    if (::lstat(path, &file) != 0) return os::last_error();
    SocketFile owned;
    owned.path_ = path;
    owned.device_ = file.st_dev;
    owned.inode_ = file.st_ino;
    return owned;
  }

 private:
  /// Whether a socket is bound to the file still, or that can't be told. The kernel turns a socket
  /// of another type down before it connects the two, so a server does not notice.
  bool is_bound() const {
    const auto address = os::SocketPath::of(path_);
    const auto probe =
        os::adopt_new(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return !address || !probe || ::connect(probe.get(), address->get(), address->size) == 0 ||
           errno != ECONNREFUSED;
  }

  void remove() {
    struct stat file;
    if (!path_.empty() && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
        file.st_ino == inode_) {
      ::unlink(path_.c_str());
    }
    path_.clear();
  }

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  os::OwnerProcess owner_;
};

/// A name that this process holds.
class ServicePort {
 public:
  /// Errors: `name_taken`, `invalid_name`, those of `bind`.
  static Result<ServicePort> check_in(std::string_view name, strait::detail::AcceptLimits limits) {
    const auto address = Address::of(name);
    if (!address) return address.error();
    auto socket = new_socket();
    if (!socket) return socket.error();
    SocketFile file;
    if (address->is_path()) {
      if (auto bound = bind_path(*socket, *address, limits.peers); !bound) return bound.error();
      auto made = SocketFile::of(address->path());
      if (!made) return made.error();
      file = std::move(*made);
    } else if (auto bound = bind(*socket, *address, limits.peers); !bound) {
      return bound.error();
    }
    auto serving = serve(std::move(*socket), limits);
    if (serving) serving->file_ = std::move(file);
    return serving;
  }

  /// A port whose name is not this process's to free.
  static Result<ServicePort> check_in(ActivatedSocket activated,
                                      strait::detail::AcceptLimits limits) {
    auto socket = std::move(activated).listening(SOCK_SEQPACKET);
    if (!socket) return socket.error();
    return serve(std::move(*socket), limits);
  }

  /// A port without a name, for the one client at the other end of a socket.
  static Result<ServicePort> check_in(os::Descriptor client, const PeerCredentials& credentials,
                                      strait::detail::AcceptLimits limits) {
    const int socket = client.get();
    os::refuse_descriptors(socket);
    auto pending = PendingClients::create({credentials, {}, {}, os::PeerSocket(std::move(client))},
                                          socket, limits);
    if (!pending) return pending.error();
    ServicePort port;
    port.pending_clients_ = std::move(*pending);
    return port;
  }

  /// The next request, or a client that failed to make one.
  ///
  /// Errors: `empty`; `peer_closed` when there was but one client and it is through; those of
  /// `accept`.
  Result<Request> receive() {
    const auto accepted =
        pending_clients_.accept([](os::Descriptor&& client, const PeerCredentials& credentials) {
          return Request{credentials, {}, {}, os::PeerSocket(std::move(client))};
        });
    if (!accepted) return accepted.error();
    return pending_clients_.next([](Request& client) { return receive_from(client); },
                                 [](Request& client, const Result<void>& heard) -> Result<Request> {
                                   client.failure = heard.error();
                                   return std::move(client);
                                 });
  }

  /// Frees the name now, in the process that has claimed it. A plain name lives on while a forked
  /// process has a copy of the socket.
  void withdraw() { file_.withdraw(); }

  /// Readable when `receive` may have something; not when a client's time is up: see `deadline`.
  Interest interest() const { return pending_clients_.interest(); }
  strait::detail::Deadline deadline() const { return pending_clients_.deadline(); }

 private:
  using PendingClients = strait::detail::PendingClients<Request>;

  static Result<ServicePort> serve(os::Descriptor listening, strait::detail::AcceptLimits limits) {
    os::refuse_descriptors(listening.get());
    auto pending = PendingClients::create(std::move(listening), limits);
    if (!pending) return pending.error();
    ServicePort port;
    port.pending_clients_ = std::move(*pending);
    return port;
  }

  static Result<void> bind(const os::Descriptor& socket, const Address& address, PeerPolicy peers) {
    if (::bind(socket.get(), address.get(), address.size) != 0) {
      return errno == EADDRINUSE ? Errc::name_taken : Result<void>(os::last_error());
    }
    if (address.is_path()) {
      if (auto set = os::set_socket_mode(address, peers); !set) return set;
    }
    if (::listen(socket.get(), SOMAXCONN) != 0) return os::last_error();
    return {};
  }

  /// A socket file outlives its owner: one that no process listens to is taken over.
  static Result<void> bind_path(const os::Descriptor& socket, const Address& address,
                                PeerPolicy peers) {
    // One at a time from the look to the listening, or two could take over from each other.
    const std::string directory(address.path(),
                                std::string_view(address.path()).find_last_of('/') + 1);
    const auto lock = os::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
    if (!lock) return lock.error();
    // Names that are free are in no server's way; one that takes a name over must be alone.
    for (const int how : {LOCK_SH, LOCK_EX}) {
      lock_soon(lock->get(), how);
      if (auto bound = bind(socket, address, peers); bound || bound.error() != Errc::name_taken) {
        return bound;
      }
    }
    struct stat file;
    if (::lstat(address.path(), &file) == 0 && !S_ISSOCK(file.st_mode)) return Errc::name_taken;
    auto probe = new_socket();
    if (!probe) return probe.error();
    if (::connect(probe->get(), address.get(), address.size) == 0 || errno != ECONNREFUSED) {
      return Errc::name_taken;
    }
    if (::unlink(address.path()) != 0) return os::last_error();
    return bind(socket, address, peers);
  }

  /// Servers hold the lock for a few system calls only. Any reader of the directory can hold it for
  /// ever, and so can't be waited for: without the lock all goes on, but for the case that two
  /// servers take over one file at the same moment, when the later one gets the name.
  static void lock_soon(int fd, int how) {
    // A time, not a number of turns: on a busy machine each turn may take as long.
    const auto patience = strait::detail::Deadline::after(std::chrono::milliseconds{50});
    while (::flock(fd, how | LOCK_NB) != 0 && !patience.passed()) ::sched_yield();
  }

  /// A request has no descriptors, and where the kernel can it does not let any in.
  static Result<void> receive_from(Request& client) {
    os::DescriptorQueue descriptors;
    const auto size = os::receive_packet(client.client.get(), client.body.room(), descriptors);
    if (!size) return size.error();
    if (descriptors.size() != 0) return Errc::malformed;
    client.body.resize(*size);
    return {};
  }

  SocketFile file_;
  PendingClients pending_clients_;
};

}  // namespace strait::linux_mach
