#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/min_max.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/framing/frame_reader.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/framing/socket_writer.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/pending_clients.hpp"
#include "strait/handshake/request.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/activated_socket.hpp"
#include "strait/os/posix/mapping.hpp"
#include "strait/os/posix/name_directory.hpp"
#include "strait/os/posix/name_socket.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Messages as length-prefixed frames over a Unix stream socket: the plain way that can also carry
/// rights, and the one that knows the peer's process id.
///
/// A name is a listening socket in a directory of its own, which belongs to this user and is locked
/// by its holder; so a name that a killed server left behind is free. Others can't enter it, except
/// with `PeerPolicy::any_user` and a path, where they may connect and no more.
template <class WaitPolicy>
class BasicSocketTransport {
 public:
  using wait_policy = WaitPolicy;

  class Request : public detail::RequestBase {
   public:
    Result<BasicSocketTransport> welcome(std::span<const std::byte> bytes) && {
      if (auto sent = answer(bytes); !sent) return sent.error();
      return BasicSocketTransport(std::move(socket_));
    }
    void refuse(std::span<const std::byte> bytes) && { static_cast<void>(answer(bytes)); }

   private:
    friend class BasicSocketTransport;

    Result<void> answer(std::span<const std::byte> bytes) {
      return detail::write_frame(detail::SocketWriter{socket_}, bytes);
    }

    os::PeerSocket socket_;
  };

  class Server {
   public:
    Result<Request> accept() {
      const auto accepted =
          pending_clients_.accept([](os::Descriptor&& socket, const PeerCredentials& credentials) {
            return request(std::move(socket), credentials);
          });
      if (!accepted) return accepted.error();
      return pending_clients_.next(
          [](Request& client) {
            os::DescriptorQueue rights;
            auto hello = detail::read_hello([&](std::span<std::byte> room) {
              return os::receive_packet(client.socket_.get(), room, rights);
            });
            return rights.size() == 0 ? hello : Errc::malformed;
          },
          [](Request& client, const Result<detail::HandshakeBytes>& hello) -> Result<Request> {
            client.take_hello(hello);
            return std::move(client);
          });
    }
    void withdraw() { directory_.withdraw(); }
    Interest interest() const { return pending_clients_.interest(); }
    detail::Deadline deadline() const { return pending_clients_.deadline(); }

   private:
    friend class BasicSocketTransport;

    static Request request(os::Descriptor socket, const PeerCredentials& credentials) {
      Request request;
      request.credentials = credentials;
      request.socket_ = os::PeerSocket(std::move(socket));
      return request;
    }

    os::NameDirectory directory_;
    detail::PendingClients<Request> pending_clients_;
  };

  class Connector {
   public:
    PeerCredentials credentials() const { return credentials_; }

    Result<BasicSocketTransport> hello(std::span<const std::byte> bytes) && {
      if (auto sent = detail::write_frame(detail::SocketWriter{socket_}, bytes); !sent)
        return sent.error();
      return BasicSocketTransport(std::move(socket_));
    }

   private:
    friend class BasicSocketTransport;

    os::PeerSocket socket_;
    PeerCredentials credentials_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    auto directory = os::NameDirectory::claim(name, limits.peers);
    if (!directory) return directory.error();
    const auto path = os::path_in(directory->place(), directory->get());
    if (!path) return path.error();
    auto socket = os::listen_at(*path, limits.peers);
    if (!socket) return socket.error();
    auto pending = detail::PendingClients<Request>::create(std::move(*socket), limits);
    if (!pending) return pending.error();
    Server server;
    server.directory_ = std::move(*directory);
    server.pending_clients_ = std::move(*pending);
    return server;
  }

  static Result<Server> listen(ActivatedSocket activated, detail::AcceptLimits limits) {
    auto socket = std::move(activated).listening(os::stream_type);
    if (!socket) return socket.error();
    auto pending = detail::PendingClients<Request>::create(std::move(*socket), limits);
    if (!pending) return pending.error();
    Server server;
    server.pending_clients_ = std::move(*pending);
    return server;
  }

  static Result<std::array<os::Descriptor, 2>> connected_pair() { return os::stream_pair(); }

  static Result<Server> listen(os::Descriptor client, const PeerCredentials& credentials,
                               detail::AcceptLimits limits) {
    const int socket = client.get();
    auto pending = detail::PendingClients<Request>::create(
        Server::request(std::move(client), credentials), socket, limits);
    if (!pending) return pending.error();
    Server server;
    server.pending_clients_ = std::move(*pending);
    return server;
  }

  static Result<Connector> look_up(os::Descriptor server) {
    const auto credentials = os::peer_credentials(server.get());
    if (!credentials) return credentials.error();
    Connector name;
    name.socket_ = os::PeerSocket(std::move(server));
    name.credentials_ = *credentials;
    return name;
  }

  static Result<Connector> look_up(std::string_view name) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    auto socket = os::connect_to_name(name);
    if (!socket) return socket.error();
    return look_up(std::move(*socket));
  }

  Result<detail::HandshakeBytes> welcome() {
    detail::HandshakeBytes bytes;
    const auto received = receive_some(
        [&](const Incoming& frame) {
          // Otherwise it stays empty, and is no Welcome.
          if (frame.tag == 0 && frame.rights == nullptr)
            bytes = detail::HandshakeBytes(frame.bytes);
          return false;
        },
        detail::HandshakeBytes::capacity, 1);
    if (!received) return received.error();
    return bytes;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    return detail::send_frame(payload, queue, socket_, detail::SocketWriter{socket_, &retries_});
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue, detail::RightList& rights) {
    return detail::send_queued(payload, queue, rights, [&] { return flush(queue); });
  }
  static bool carries(const detail::Right& right) { return static_cast<bool>(right.descriptor); }

  Result<void> flush(detail::FrameQueue& queue) {
    return detail::flush_frames(queue, detail::SocketWriter{socket_, &retries_});
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    return receive_some(sink, limits, detail::fair_share);
  }

  std::uint64_t unfinished() const {
    return rights_.size() == 0 || reader_.readable() ? 0 : reader_.unfinished();
  }

  bool readable() const { return has_unread() || os::is_ready(Interest::to_read(socket_.get())); }

  Armed arm(const detail::FrameQueue& queue) {
    const bool wants_room = !queue.empty() && !retries_;
    return {{Interest::to_read(socket_.get()),
             wants_room ? Interest::to_write(socket_.get()) : Interest()},
            has_unread()};
  }
  bool retries() const { return retries_; }
  bool disarm() { return false; }
  void take_doorbells() {}

  /// Two ends of a socket pair.
  static Result<std::pair<BasicSocketTransport, BasicSocketTransport>> pair() {
    auto sockets = os::stream_pair();
    if (!sockets) return sockets.error();
    return std::pair(BasicSocketTransport(os::PeerSocket(std::move((*sockets)[0]))),
                     BasicSocketTransport(os::PeerSocket(std::move((*sockets)[1]))));
  }

  /// The socket; or, if something was read and not given yet, a packed endpoint with the socket, a
  /// memory file of the bytes, and the descriptors that came with them.
  Result<detail::Right> detach() {
    detail::ByteBuffer unread;
    const auto rest = backlog_.bytes().subspan(backlog_read_);
    std::byte* out = reader_.copy_unread(unread) ? unread.extend(rest.size()) : nullptr;
    if (out == nullptr) return detail::no_memory();
    if (!rest.empty()) std::memcpy(out, rest.data(), rest.size());
    if (unread.size() == 0 && rights_.size() == 0) {
      return detail::Right{std::move(socket_)};
    }
    const auto file = os::memory_file_of(unread.bytes());
    if (!file) return file.error();
    auto packed = os::packet_pair();
    if (!packed) return packed.error();
    const auto& [in, out_end] = *packed;
    const std::array contents{socket_.get(), file->get()};
    if (auto put = os::send_packet(in.get(), endpoint_packet, contents); !put) return put.error();
    for (std::size_t i = 0; i != rights_.size();) {
      std::array<int, os::max_descriptors> some;
      std::size_t count = 0;
      while (i != rights_.size() && count != some.size()) some[count++] = rights_.at(i++);
      const auto put = os::send_packet(in.get(), endpoint_packet, std::span(some).first(count));
      if (!put) return put.error();
    }
    return detail::Right{std::move((*packed)[1])};
  }

  static Result<BasicSocketTransport> attach(detail::Right& right) {
    if (os::is_connected_stream(right.descriptor.get())) {
      return BasicSocketTransport(os::PeerSocket(std::move(right.descriptor)));
    }
    if (!os::is_connected_socket(right.descriptor.get(), os::packet_socket)) {
      return Errc::wrong_right;
    }
    return unpack(right.descriptor);
  }

 private:
  /// The least a packet can be: an empty one would look like the end.
  static constexpr std::array<std::byte, 1> endpoint_packet{};
  /// A large message that has not come in whole, and what a reader may have read behind it.
  static constexpr std::size_t max_backlog_bytes = (std::size_t{1} << 30) + (std::size_t{1} << 20);

  explicit BasicSocketTransport(os::PeerSocket socket) : socket_(std::move(socket)) {}

  static Result<BasicSocketTransport> unpack(const os::Descriptor& packed) {
    std::array<std::byte, 1> packet;
    // Another transport's packed endpoint stays whole.
    if (os::next_packet_bytes(packed, 2) != 1) return Errc::wrong_right;
    os::DescriptorQueue contents;
    const auto got = os::receive_packet(packed.get(), packet, contents);
    if (!got) return got.error() == Errc::rights_lost ? got.error() : Errc::wrong_right;
    if (contents.size() != 2) return Errc::wrong_right;
    os::UnseenDescriptor socket = contents.pop();
    const os::UnseenDescriptor file = contents.pop();
    if (!os::is_connected_stream(socket.get())) return Errc::wrong_right;
    auto backlog = os::contents_of(file.get(), max_backlog_bytes);
    if (!backlog) return backlog.error();
    BasicSocketTransport link{os::PeerSocket(std::move(socket))};
    link.backlog_ = std::move(*backlog);
    for (int packets = 0; packets != 3 && link.rights_.has_room(); ++packets) {
      const auto more = os::receive_packet(packed.get(), packet, link.rights_);
      if (more) continue;
      const std::error_code end = more.error();
      if (end == Errc::would_block || end == Errc::peer_closed) return link;
      return end;
    }
    return link;
  }

  bool has_unread() const { return reader_.readable() || backlog_.size() != 0; }

  Result<std::size_t> read(std::span<std::byte> room) {
    if (backlog_.size() != 0) [[unlikely]] {
      const std::size_t size = (detail::min)(room.size(), backlog_.size() - backlog_read_);
      if (size != 0) {
        std::memcpy(room.data(), backlog_.data() + backlog_read_, size);
        backlog_read_ += size;
        return size;
      }
      backlog_.reset();
      backlog_read_ = 0;
    }
    // An honest sender's are asked for before more than those of the next message have come.
    if (rights_.size() > max_rights_) return Errc::malformed;
    if (!os::can_close_unseen(2 * os::max_descriptors)) return Errc::would_block;
    const std::size_t before = rights_.size();
    const auto got = os::receive_packet(socket_.get(), room, rights_);
    // The kernel gives no more than one message's at once.
    if (rights_.size() - before > max_rights_) return Errc::too_many_rights;
    return got;
  }

  /// The rights of the oldest message came with its first byte, so they are here.
  Result<detail::RightList> take_rights(std::size_t count) {
    if (rights_.size() < count) return Errc::malformed;
    detail::RightList taken;
    for (; count != 0; --count) {
      if (!taken.push(detail::Right::from_peer(rights_.pop()))) {
        return detail::no_memory();
      }
    }
    return taken;
  }

  template <class Sink>
  Result<void> receive_some(Sink&& sink, const ReceiveLimits& limits, int share) {
    std::error_code broken;
    max_rights_ = limits.max_rights;
    if (backlog_.size() > limits.max_message_bytes + detail::FrameReader::max_ahead_bytes) {
      return Errc::malformed;  // no reader reads on so far
    }
    const auto deliver = [&](const detail::FrameHeader& header, std::span<const std::byte> bytes) {
      if (header.rights == 0) [[likely]]
        return sink(Incoming{header.tag, bytes});
      auto rights = take_rights(header.rights);
      if (rights) return sink(Incoming{header.tag, bytes, &*rights});
      broken = rights.error();
      return false;
    };
    const auto received = reader_.receive([&](std::span<std::byte> room) { return read(room); },
                                          deliver, limits.max_message_bytes, share);
    if (broken) return broken;
    // All that came is cut into messages: rights that belong to none were not sent by the rules.
    if (!received && received.error() == Errc::empty && rights_.size() > reader_.rights_begun()) {
      return Errc::malformed;
    }
    return received;
  }

  os::PeerSocket socket_;
  detail::FrameReader reader_{detail::max_rights};
  bool retries_ = false;
  /// How many rights a message may have here.
  std::size_t max_rights_ = detail::max_rights;
  /// Of messages that were read and not given yet.
  os::DescriptorQueue rights_;
  /// What the former owner of this end had read and not given.
  os::Mapping backlog_;
  std::size_t backlog_read_ = 0;
};

}  // namespace strait
