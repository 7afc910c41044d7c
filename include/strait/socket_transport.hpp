#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/detail/channel_name.hpp"
#include "strait/detail/frame_queue.hpp"
#include "strait/detail/frame_reader.hpp"
#include "strait/detail/frame_stream.hpp"
#include "strait/detail/half_open.hpp"
#include "strait/detail/handshake_bytes.hpp"
#include "strait/fwd.hpp"
#include "strait/posix/name_directory.hpp"
#include "strait/posix/native_descriptors.hpp"
#include "strait/posix/poll.hpp"
#include "strait/posix/socket.hpp"
#include "strait/posix/unix_socket.hpp"
#include "strait/posix/wait_set.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Messages as length-prefixed frames over a Unix stream socket: the plain way that can also carry
/// rights, and the one that knows the peer's process id.
///
/// A name is a listening socket in a private directory, which belongs to this user alone and is
/// locked by its holder; so a name that a killed server left behind is free.
template <class WaitPolicy>
class BasicSocketTransport {
 public:
  using wait_policy = WaitPolicy;

  class Request {
   public:
    PeerCredentials credentials;
    std::error_code failure;

    std::span<const std::byte> hello() const { return hello_.bytes(); }

    Result<BasicSocketTransport> welcome(std::span<const std::byte> bytes) && {
      if (auto sent = answer(bytes); !sent) return sent.error();
      return BasicSocketTransport(std::move(socket_));
    }
    void refuse(std::span<const std::byte> bytes) && { static_cast<void>(answer(bytes)); }

   private:
    friend class BasicSocketTransport;

    Result<void> answer(std::span<const std::byte> bytes) {
      return detail::write_frame(writing(socket_), bytes);
    }

    posix::Descriptor socket_;
    detail::HandshakeBytes hello_;
  };

  class Server {
   public:
    Result<Request> accept() {
      if (auto accepted = accept_waiting(); !accepted) return accepted.error();
      return half_open_.next(
          [](Request& client) {
            posix::DescriptorQueue rights;
            auto hello = detail::read_hello(reading(client.socket_, rights));
            return rights.size() == 0 ? hello : Errc::malformed;
          },
          [](Request& client, const Result<detail::HandshakeBytes>& hello) -> Result<Request> {
            client.failure = hello.error();
            if (hello) client.hello_ = *hello;
            return std::move(client);
          });
    }
    pollfd interest() const { return {ready_.native_handle(), POLLIN, 0}; }
    detail::Deadline deadline() const { return half_open_.deadline(); }

   private:
    friend class BasicSocketTransport;

    Result<void> accept_waiting() {
      if (half_open_.paused()) {
        if (!half_open_.resume()) return {};
        if (auto watched = ready_.watch(socket_.get(), POLLIN); !watched) {
          return pause_if_exhausted(watched.error());
        }
      }
      while (!half_open_.overfull()) {
        auto socket = posix::accept_from(socket_);
        if (!socket) {
          if (socket.error() == Errc::would_block) return {};
          return pause_if_exhausted(socket.error());
        }
        const auto credentials = posix::peer_credentials(socket->get());
        if (!credentials) continue;
        if (auto watched = ready_.watch(socket->get(), POLLIN); !watched) {
          return pause_if_exhausted(watched.error());
        }
        Request client;
        client.credentials = *credentials;
        client.socket_ = std::move(*socket);
        if (auto added = half_open_.add(std::move(client)); !added) return added;
      }
      return {};
    }

    /// Those who wait can't be let in, but would keep the socket readable: it is left alone for a
    /// while, and they wait.
    Result<void> pause_if_exhausted(std::error_code error) {
      if (!posix::is_exhaustion(error)) return error;
      ready_.forget(socket_.get());
      half_open_.pause();
      return {};
    }

    posix::NameDirectory directory_;
    posix::Descriptor socket_;
    posix::WaitSet ready_;
    detail::HalfOpen<Request> half_open_;
  };

  class Name {
   public:
    PeerCredentials credentials() const { return credentials_; }

    Result<BasicSocketTransport> hello(std::span<const std::byte> bytes) && {
      if (auto sent = detail::write_frame(writing(socket_), bytes); !sent) return sent.error();
      return BasicSocketTransport(std::move(socket_));
    }

   private:
    friend class BasicSocketTransport;

    posix::Descriptor socket_;
    PeerCredentials credentials_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    auto directory = posix::NameDirectory::claim(name);
    if (!directory) return directory.error();
    const auto path = path_in(directory->place(), directory->get());
    if (!path) return path.error();
    auto socket = posix::stream_socket();
    if (!socket) return socket.error();
    // The directory lets nobody else near it, whatever the umask makes of the socket's mode.
    if (::bind(socket->get(), path->get(), path->size) != 0) return posix::last_error();
    if (::listen(socket->get(), SOMAXCONN) != 0) return posix::last_error();
    auto ready = posix::WaitSet::create();
    if (!ready) return ready.error();
    if (auto watched = ready->watch(socket->get(), POLLIN); !watched) return watched.error();
    Server server;
    server.directory_ = std::move(*directory);
    server.socket_ = std::move(*socket);
    server.ready_ = std::move(*ready);
    server.half_open_ = detail::HalfOpen<Request>(limits);
    return server;
  }

  static Result<Name> look_up(std::string_view name) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    const auto place = posix::NamePlace::of(name);
    const auto directory = posix::find_name_directory(place);
    if (!directory) return directory.error();
    const auto path = path_in(place, directory->get());
    if (!path) return path.error();
    auto socket = posix::stream_socket();
    if (!socket) return socket.error();
    if (posix::retry([&] { return ::connect(socket->get(), path->get(), path->size); }) != 0) {
      if (errno == EAGAIN) return Errc::would_block;
      return posix::or_not_found(posix::last_error());
    }
    const auto credentials = posix::peer_credentials(socket->get());
    if (!credentials) return credentials.error();
    Name server;
    server.socket_ = std::move(*socket);
    server.credentials_ = *credentials;
    return server;
  }

  Result<detail::HandshakeBytes> welcome() {
    detail::HandshakeBytes bytes;
    const auto received = receive_some(
        [&](std::uint16_t, std::span<const std::byte> frame) {
          bytes = detail::HandshakeBytes(frame);
          return false;
        },
        detail::HandshakeBytes::capacity, 1);
    if (!received) return received.error();
    return bytes;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    return detail::send_frame(payload, queue, socket_, writing(socket_));
  }

  Result<void> flush(detail::FrameQueue& queue) {
    return detail::flush_frames(queue, writing(socket_));
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, std::size_t max_message_bytes) {
    return receive_some(sink, max_message_bytes, detail::fair_share);
  }

  bool readable() const {
    return reader_.readable() || posix::events_now(socket_.get(), POLLIN) != 0;
  }

  bool arm(const detail::FrameQueue&) { return reader_.readable(); }
  posix::Interest interest(const detail::FrameQueue& queue) const {
    return {{socket_.get(), POLLIN, 0}, {queue.empty() ? -1 : socket_.get(), POLLOUT, 0}};
  }
  bool disarm() { return false; }
  void take_doorbells() {}

 private:
  explicit BasicSocketTransport(posix::Descriptor socket) : socket_(std::move(socket)) {}

  static Result<posix::SocketPath> path_in(const posix::NamePlace& place, int directory) {
    auto path = posix::SocketPath::of(place.directory() + "/" + posix::NameDirectory::hello_name);
    if (path) return path;
    // An address has room for some hundred bytes only: a deep place is reached by its descriptor.
    return posix::SocketPath::of("/dev/fd/" + std::to_string(directory) + "/" +
                                 posix::NameDirectory::hello_name);
  }

  static auto reading(const posix::Descriptor& socket, posix::DescriptorQueue& rights) {
    return [&](std::span<std::byte> room) {
      return posix::receive_packet(socket.get(), room, rights);
    };
  }
  static auto writing(const posix::Descriptor& socket) {
    return [&](std::span<const iovec> parts) -> Result<std::size_t> {
      auto sent = posix::send_parts(socket.get(), parts);
      if (!sent && sent.error() == Errc::would_block) return std::size_t{0};
      return sent;
    };
  }

  template <class Sink>
  Result<void> receive_some(Sink&& sink, std::size_t max_message_bytes, int share) {
    return reader_.receive(reading(socket_, rights_), sink, max_message_bytes, share);
  }

  posix::Descriptor socket_;
  detail::FrameReader reader_;
  posix::DescriptorQueue rights_;
};

}  // namespace strait
