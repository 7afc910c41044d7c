#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/framing/frame_reader.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/request.hpp"
#include "strait/handshake/windows/inbox_note.hpp"
#include "strait/handshake/windows/pipe_server.hpp"
#include "strait/os/gathered.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/named_pipe.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/windows/handle_transfer.hpp"
#include "strait/transport.hpp"
#include "strait/transports/windows/handle_frames.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Messages as length-prefixed frames over a named pipe of bytes, each way, and handles, which the
/// receiver takes out of the sender's process; where it may not open that, such as a child with
/// less rights than its parent, the sender puts them into the receiver's. Where neither may open
/// the other's, as those of two users, no rights can be sent (`permission_denied`). A receiver that
/// has not taken out what was sent when its sender's process ends has `rights_lost`.
///
/// A plain name is found by its own user only; with `PeerPolicy::any_user`, a path is found by all.
/// Clients on other machines are turned away by the system. The kernel tells a server
/// the user of the thread that said Hello, and a client the owner of the pipe.
///
/// What was sent and has not fitted in the pipe counts as queued until it is through: it would be
/// lost with this end. A link that is passed to another thread while something is queued is at its
/// end when the first thread ends (`ERROR_OPERATION_ABORTED`): flush it before.
template <class WaitPolicy>
class BasicPipeTransport {
 public:
  using wait_policy = WaitPolicy;

  class Request : public detail::RequestBase {
   public:
    explicit Request(os::PipeEnd end) : end_(std::move(end)) {}

    /// That the pipe's other end was given to, if it was: the credentials are its.
    std::optional<os::PeerProcess> child;

    Result<BasicPipeTransport> welcome(std::span<const std::byte> bytes) && {
      auto handles = os::HandleReceiver::create(
          child ? std::move(*child) : os::PeerProcess::client_of(end_.get(), credentials.uid));
      if (!handles) return handles.error();
      const os::HandleNumber inbox = handles->inbox_number();
      BasicPipeTransport link({}, std::move(*handles));
      if (auto known = link.send_handles_to(inbox_); !known) return known.error();
      if (auto sent = answer(bytes, inbox); !sent) return sent.error();
      link.end_ = std::move(end_);
      return link;
    }
    void refuse(std::span<const std::byte> bytes) && {
      static_cast<void>(answer(bytes, os::no_inbox));
    }

   private:
    friend class BasicPipeTransport;

    Result<void> answer(std::span<const std::byte> bytes, os::HandleNumber inbox) {
      if (auto made = end_.own_events(); !made) return made;
      return detail::write_frame(writing(end_), detail::with_note(bytes, inbox).bytes());
    }

    os::PipeEnd end_;
    /// The client's.
    os::HandleNumber inbox_ = os::no_inbox;
  };

  class Server {
   public:
    Result<Request> accept() {
      return pipe_.accept(
          [](Request& client) -> Result<detail::NotedHandshake> {
            const auto hello = detail::read_hello(reading(client.end_));
            if (!hello) return hello.error();
            return detail::NotedHandshake::parse(hello->bytes());
          },
          [](Request& client, const Result<detail::NotedHandshake>& hello) -> Result<Request> {
            client.take_hello(hello ? hello->body : Result<detail::HandshakeBytes>(hello.error()));
            if (hello) client.inbox_ = hello->inbox;
            if (hello && !client.child) {
              // The kernel knows it of a client that has said something.
              const auto credentials = os::client_credentials(client.end_.get());
              if (credentials) client.credentials = *credentials;
              client.failure = credentials.error();
            }
            return std::move(client);
          });
    }
    void withdraw() { pipe_.withdraw(); }
    Interest interest() const { return pipe_.interest(); }
    detail::Deadline deadline() const { return pipe_.deadline(); }

   private:
    friend class BasicPipeTransport;

    explicit Server(detail::PipeServer<Request> pipe) : pipe_(std::move(pipe)) {}

    detail::PipeServer<Request> pipe_;
  };

  class Connector {
   public:
    PeerCredentials credentials() const { return credentials_; }

    Result<BasicPipeTransport> hello(std::span<const std::byte> bytes) && {
      auto end = os::PipeEnd::create(std::move(pipe_));
      if (!end) return end.error();
      auto handles =
          os::HandleReceiver::create(os::PeerProcess::server_of(end->get(), credentials_.uid));
      if (!handles) return handles.error();
      const auto hello = detail::with_note(bytes, handles->inbox_number());
      if (auto sent = detail::write_frame(writing(*end), hello.bytes()); !sent) return sent.error();
      return BasicPipeTransport(std::move(*end), std::move(*handles));
    }

   private:
    friend class BasicPipeTransport;

    Connector(os::Descriptor pipe, const PeerCredentials& credentials)
        : pipe_(std::move(pipe)), credentials_(credentials) {}

    os::Descriptor pipe_;
    PeerCredentials credentials_;
  };

  BasicPipeTransport(BasicPipeTransport&&) noexcept = default;
  BasicPipeTransport& operator=(BasicPipeTransport&& other) noexcept {
    handles_.leave(std::move(end_));
    end_ = std::move(other.end_);
    reader_ = std::move(other.reader_);
    handles_ = std::move(other.handles_);
    room_ = std::move(other.room_);
    incoming_ = std::move(other.incoming_);
    return *this;
  }
  ~BasicPipeTransport() { handles_.leave(std::move(end_)); }

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    auto pipe = detail::PipeServer<Request>::listen(kind, name, limits);
    if (!pipe) return pipe.error();
    return Server(std::move(*pipe));
  }

  /// Errors: also `would_block` when more clients have come at once than the server has looked at.
  static Result<Connector> look_up(std::string_view name) {
    auto pipe = detail::connect_to_name(kind, name);
    if (!pipe) return pipe.error();
    return look_up(std::move(*pipe));
  }

  static Result<std::array<os::Descriptor, 2>> connected_pair() { return os::pipe_pair(); }

  static Result<Server> listen(os::Descriptor client, const PeerCredentials& credentials,
                               detail::AcceptLimits limits) {
    auto pipe = detail::PipeServer<Request>::serve_one(std::move(client), credentials, limits);
    if (!pipe) return pipe.error();
    return Server(std::move(*pipe));
  }

  static Result<Connector> look_up(os::Descriptor pipe) {
    const auto credentials = os::server_credentials(pipe.get());
    if (!credentials) return credentials.error();
    return Connector(std::move(pipe), *credentials);
  }

  Result<detail::HandshakeBytes> welcome() {
    detail::HandshakeBytes bytes;
    const auto received = reader_.receive(
        reading(end_),
        [&](const detail::FrameHeader& header, std::span<const std::byte> frame) {
          // Otherwise it stays empty, and is no Welcome.
          if (detail::is_plain(header)) bytes = detail::HandshakeBytes(frame);
          return false;
        },
        detail::HandshakeBytes::capacity, 1);
    if (!received) return received.error();
    const auto noted = detail::NotedHandshake::parse(bytes.bytes());
    if (!noted) return noted.error();
    if (auto known = send_handles_to(noted->inbox); !known) return known.error();
    return noted->body;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    auto sent = detail::send_frame(payload, queue, end_, writing(end_));
    // Nothing can follow a piece that is on its way and in no queue.
    if (!sent && end_.is_writing()) end_.reset();
    queue.set_in_flight(end_.bytes_in_flight());
    return sent;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue, detail::RightList& rights) {
    return detail::send_queued(payload, queue, rights, [&] { return flush(queue); });
  }
  static bool carries(const detail::Right& right) { return os::can_travel(right.descriptor.get()); }

  Result<void> flush(detail::FrameQueue& queue) {
    auto flushed = detail::flush_frames(queue, detail::HandleFrameWriter{end_, handles_});
    queue.set_in_flight(end_.bytes_in_flight());
    return flushed;
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    std::error_code broken;
    const auto deliver = [&](const detail::FrameHeader& header, std::span<const std::byte> bytes) {
      detail::RightList rights;
      const auto whole = incoming_.take(header, bytes, limits.max_rights, rights);
      broken = whole.error();
      if (whole && *whole && bytes.size() > limits.max_message_bytes) {
        broken = Errc::message_too_large;
      }
      if (broken) return false;
      if (!*whole) return true;
      return sink(Incoming{header.tag, bytes, rights.empty() ? nullptr : &rights});
    };
    const std::size_t largest =
        (detail::max)(limits.max_message_bytes, detail::HandleFrameReader::max_bytes);
    const auto received = reader_.receive(reading(end_), deliver, largest, detail::fair_share);
    return broken ? broken : received;
  }

  bool readable() const { return reader_.readable() || end_.readable(); }

  Armed arm(const detail::FrameQueue& queue) {
    return {{end_.to_read(), queue.empty() ? Interest() : to_send()}, reader_.readable()};
  }
  bool disarm() { return false; }
  void take_doorbells() {}

 private:
  static constexpr wchar_t kind[] = L"pipe-";

  BasicPipeTransport(os::PipeEnd end, os::HandleReceiver handles)
      : end_(std::move(end)), incoming_(std::move(handles)) {}

  /// Errors: the system's; as `HandleSender::create`.
  Result<void> send_handles_to(os::HandleNumber inbox) {
    if (inbox == os::no_inbox) return {};
    auto room = os::make_event();
    if (!room) return room.error();
    auto handles = os::HandleSender::create(incoming_.sender(), inbox, room->get());
    if (!handles) return handles.error();
    room_ = std::move(*room);
    handles_ = std::move(*handles);
    return {};
  }

  Interest to_send() {
    if (handles_.waits_for_room()) {
      ::ResetEvent(room_.get());
      // The peer may have set it before it was reset.
      if (handles_.waits_for_room()) return Interest::to_write(room_.get());
    }
    return end_.to_write();
  }

  static auto reading(os::PipeEnd& from) {
    return [&](std::span<std::byte> room) { return from.read(room); };
  }
  static auto writing(os::PipeEnd& to) {
    return [&](std::span<const os::GatheredPart> parts) { return to.write(parts); };
  }

  os::PipeEnd end_;
  detail::FrameReader reader_{detail::max_rights};
  os::HandleSender handles_;
  /// Set when the peer's inbox for handles, if it has one, has room again.
  os::Descriptor room_;
  detail::HandleFrameReader incoming_;
};

}  // namespace strait
