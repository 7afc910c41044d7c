#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/object_bytes.hpp"
#include "strait/base/slice.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/framing/frame_reader.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/pending_clients.hpp"
#include "strait/handshake/request.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/fifo.hpp"
#include "strait/os/posix/fifo_pair.hpp"
#include "strait/os/posix/gathered.hpp"
#include "strait/os/posix/name_directory.hpp"
#include "strait/os/posix/other_transport.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Messages as length-prefixed frames over a pair of FIFOs: the plain way, on any POSIX system.
///
/// A name is a FIFO in a private directory, on which clients announce pairs of FIFOs that they made
/// for themselves; so no client can disturb another. Only processes of the same user get so far:
/// the directories are theirs alone, and a FIFO's owner is its maker. A server that asks for
/// `PeerPolicy::any_user` is `unsupported`.
///
/// `PeerCredentials::pid` is 0: a FIFO does not tell.
template <class WaitPolicy>
class BasicPipeTransport {
 public:
  using wait_policy = WaitPolicy;

  class Request : public detail::RequestBase {
   public:
    Result<BasicPipeTransport> welcome(std::span<const std::byte> bytes) && {
      if (auto sent = detail::write_frame(writing(out_), bytes); !sent) return sent.error();
      return BasicPipeTransport(std::move(in_), std::move(out_));
    }
    void refuse(std::span<const std::byte> bytes) && {
      static_cast<void>(detail::write_frame(writing(out_), bytes));
    }

   private:
    friend class BasicPipeTransport;

    os::Descriptor in_;
    os::Descriptor out_;
  };

  class Server {
   public:
    Result<Request> accept() {
      const auto read = pending_clients_.accept_pending([this] { return read_announcements(); });
      if (!read) return read.error();
      return pending_clients_.next(
          [](Request& client) { return detail::read_hello(reading(client.in_)); },
          [](Request& client, const Result<detail::HandshakeBytes>& hello) -> Result<Request> {
            client.take_hello(hello);
            return std::move(client);
          });
    }
    void withdraw() { directory_.withdraw(); }
    Interest interest() const { return pending_clients_.interest(); }
    detail::Deadline deadline() const { return pending_clients_.deadline(); }

   private:
    friend class BasicPipeTransport;
    static constexpr std::size_t line_bytes = detail::FifoPair::stem_bytes + 1;
    static constexpr int max_reads = 16;

    Server() = default;

    /// A line is shorter than PIPE_BUF, so lines of different clients do not mix; and a line of
    /// nonsense ends where it ends.
    Result<void> read_announcements() {
      for (int reads = 0; !pending_clients_.overfull();) {
        const std::string_view seen(line_.data(), line_size_);
        if (const std::size_t end = seen.find('\n'); end != seen.npos) {
          // Without a descriptor to spare it stays for later, and so do those behind it.
          if (auto added = add_client(seen.substr(0, end)); !added) return added;
          line_size_ -= end + 1;
          std::memmove(line_.data(), line_.data() + end + 1, line_size_);
          continue;
        }
        // What is left keeps the FIFO readable, so one client's announcements don't keep out the
        // rest.
        if (++reads > max_reads) return {};
        if (line_size_ == line_.size()) line_size_ = 0;
        const auto got = os::read_some(pending_clients_.listening(),
                                       detail::writable_object_bytes(line_).subspan(line_size_));
        if (!got) return got.error() == Errc::would_block ? Result<void>() : got.error();
        line_size_ += *got;
      }
      return {};
    }

    /// What is wrong with an announcement is its sender's trouble.
    ///
    /// Errors: that the system has no descriptor or no memory left.
    Result<void> add_client(std::string_view stem) {
      const auto unless_theirs = [](std::error_code error) {
        return os::is_exhaustion(error) ? Result<void>(error) : Result<void>();
      };
      auto pair = detail::FifoPair::parse(stem);
      if (!pair) return {};
      auto directory = os::open_directory(directory_.get(), ".");
      if (!directory) return unless_theirs(directory.error());
      pair->set_directory(std::move(*directory));
      auto in = os::open_fifo(pair->directory(), pair->up().data(), os::FifoEnd::read);
      auto out = os::open_fifo(pair->directory(), pair->down().data(), os::FifoEnd::write);
      for (const auto* end : {&in, &out}) {
        if (*end) continue;
        auto exhausted = unless_theirs(end->error());
        if (!exhausted) pair->keep();
        return exhausted;
      }
      const auto owner = os::owner(in->get());
      if (!owner || os::owner(out->get()).value_or(PeerCredentials{~0u, 0, 0}) != *owner) return {};
      const int to_watch = in->get();
      Request client;
      client.credentials = *owner;
      client.in_ = std::move(*in);
      client.out_ = std::move(*out);
      return pending_clients_.add(std::move(client), to_watch);
    }

    os::NameDirectory directory_;
    detail::PendingClients<Request> pending_clients_;
    std::array<char, 8 * line_bytes> line_;
    std::size_t line_size_ = 0;
  };

  class Connector {
   public:
    PeerCredentials credentials() const { return credentials_; }

    Result<BasicPipeTransport> hello(std::span<const std::byte> bytes) && {
      auto pair = detail::FifoPair::choose(std::move(directory_));
      if (!pair) return pair.error();
      if (::mkfifoat(pair->directory(), pair->up().data(), 0600) != 0 ||
          ::mkfifoat(pair->directory(), pair->down().data(), 0600) != 0) {
        return os::last_error();
      }
      auto out = os::open_fifo(pair->directory(), pair->up().data(), os::FifoEnd::write);
      if (!out) return out.error();
      auto in = os::open_fifo(pair->directory(), pair->down().data(), os::FifoEnd::read);
      if (!in) return in.error();
      if (auto sent = detail::write_frame(writing(*out), bytes); !sent) return sent.error();
      if (auto announced = announce(*pair); !announced) return announced.error();
      BasicPipeTransport link(std::move(*in), std::move(*out));
      link.hello_ = std::move(hello_);
      link.names_ = std::move(*pair);
      return link;
    }

   private:
    friend class BasicPipeTransport;

    Connector() = default;

    /// This is the one FIFO that its writer does not read, so that a dead server shows. A write to
    /// a dead server would raise SIGPIPE: for that moment there is a reader.
    Result<void> announce(const detail::FifoPair& pair) {
      const auto reader = os::open_fifo(pair.directory(), hello_name, os::FifoEnd::read);
      if (!reader || !os::same_file(reader->get(), hello_.get())) return Errc::not_found;
      std::array<char, detail::FifoPair::stem_bytes + 1> line;
      std::memcpy(line.data(), pair.stem().data(), pair.stem().size());
      line.back() = '\n';
      const os::GatheredPart part[] = {{line.data(), line.size()}};
      const auto written = os::write_parts(hello_, part);
      if (!written) return written.error();
      return *written == 0 ? Errc::would_block : Result<void>();
    }

    os::Descriptor directory_;
    os::Descriptor hello_;
    PeerCredentials credentials_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    // A client makes its FIFOs in the directory of the name, where no other user may make any.
    if (limits.peers == PeerPolicy::any_user) return Errc::unsupported;
    auto directory = os::NameDirectory::claim(name);
    if (!directory) return directory.error();
    if (::mkfifoat(directory->get(), hello_name, 0600) != 0) return os::last_error();
    Server server;
    server.directory_ = std::move(*directory);
    // Open for writing, too, or it would be at its end whenever no client has it open.
    auto hello = os::open_fifo(server.directory_.get(), hello_name, os::FifoEnd::write);
    if (!hello) return hello.error();
    auto pending = detail::PendingClients<Request>::create(std::move(*hello), limits);
    if (!pending) return pending.error();
    server.pending_clients_ = std::move(*pending);
    return server;
  }

  static Result<Connector> look_up(std::string_view name) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    const auto absent = [&](std::error_code error) {
      return os::or_other_transport(error, name, os::MeetingPoint::fifo);
    };
    auto directory = os::find_name_directory(os::NamePlace::of(name));
    if (!directory) return absent(directory.error());
    os::Descriptor hello = os::adopt_new(os::retry([&] {
      return ::openat(directory->get(), hello_name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    }));
    if (!hello) return absent(os::or_not_found(os::last_error()));
    const auto owner = os::owner(hello.get());
    if (!owner) return owner.error();
    Connector server;
    server.directory_ = std::move(*directory);
    server.hello_ = std::move(hello);
    server.credentials_ = *owner;
    return server;
  }

  Result<detail::HandshakeBytes> welcome() {
    detail::HandshakeBytes bytes;
    // Asked before reading: what was sent before the end is still seen.
    const bool gone = hung_up() || !server_is_there();
    const auto received = receive_some(
        [&](const detail::FrameHeader& header, std::span<const std::byte> frame) {
          // Otherwise it stays empty, and is no Welcome.
          if (detail::is_plain(header)) bytes = detail::HandshakeBytes(frame);
          return false;
        },
        detail::HandshakeBytes::capacity, 1);
    if (!received) {
      if (received.error() != Errc::peer_closed) return received.error();
      // A FIFO that no writer has opened yet reads like one that all writers have closed.
      return gone ? Errc::peer_closed : Errc::empty;
    }
    names_.remove();
    hello_.reset();
    return bytes;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    if (gone_) return Errc::peer_closed;
    return detail::send_frame(payload, queue, out_, writing_growing());
  }

  Result<void> flush(detail::FrameQueue& queue) {
    if (gone_) return Errc::peer_closed;
    return detail::flush_frames(queue, writing_growing());
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    return receive_some(
        [&](const detail::FrameHeader& header, std::span<const std::byte> bytes) {
          return sink(Incoming{header.tag, bytes});
        },
        limits.max_message_bytes, detail::fair_share);
  }

  bool readable() const { return reader_.readable() || os::is_ready(Interest::to_read(in_.get())); }

  Armed arm(const detail::FrameQueue& queue) {
    // While the server has not answered, the name's FIFO tells if it dies.
    const Interest server{hello_.get()};
    const Interest room = queue.empty() ? Interest() : Interest::to_write(out_.get());
    return {{Interest::to_read(in_.get()), hello_ ? server : room}, reader_.readable()};
  }
  bool disarm() { return false; }
  void take_doorbells() {
    if (!hello_) gone_ = hung_up();
  }

 private:
  /// The FIFO on which clients announce theirs.
  static constexpr const char* hello_name = os::NameDirectory::hello_name;

  BasicPipeTransport(os::Descriptor in, os::Descriptor out)
      : in_(std::move(in)), out_(std::move(out)) {}

  /// Whether there was a writer and there is none any more.
  bool hung_up() const { return os::ready_now(Interest::to_read(in_.get())).ended; }

  /// Whether the server that got the announcement still reads the name's FIFO. Only Linux's
  /// poll tells a writer that; opening it for writing tells everywhere.
  bool server_is_there() const {
    const os::Descriptor again = os::adopt_new(os::retry([&] {
      return ::openat(names_.directory(), hello_name,
                      O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    }));
    // Want of a descriptor says nothing.
    if (!again) return errno != ENXIO && errno != ENOENT;
    return os::same_file(again.get(), hello_.get());
  }

  static auto reading(const os::Descriptor& from) {
    return [&](std::span<std::byte> room) { return os::read_some(from, room); };
  }
  static auto writing(const os::Descriptor& to) {
    return [&](detail::Slice<const os::GatheredPart> parts) {
      if (parts.size() != 1) return os::write_parts(to, parts);
      return os::write_some(to,
                            {static_cast<const std::byte*>(parts[0].iov_base), parts[0].iov_len});
    };
  }

  /// As `writing(out_)`. What does not fit shows load, and only under load is a FIFO large.
  auto writing_growing() {
    return [this](detail::Slice<const os::GatheredPart> parts) {
      auto written = writing(out_)(parts);
      if (!written) return written;
      std::size_t due = 0;
      for (const os::GatheredPart& part : parts) due += part.iov_len;
      if (*written == due) [[likely]]
        return written;
      const bool more = growth_.grow(out_);
      return more && *written == 0 ? writing(out_)(parts) : written;
    };
  }

  template <class Sink>
  Result<void> receive_some(Sink&& sink, std::size_t max_message_bytes, int share) {
    return reader_.receive(reading(in_), sink, max_message_bytes, share);
  }

  os::Descriptor in_;
  os::Descriptor out_;
  os::FifoGrowth growth_;
  detail::FrameReader reader_;
  /// The peer is, which a write does not tell.
  bool gone_ = false;
  /// Until the server has answered.
  os::Descriptor hello_;
  detail::FifoPair names_;
};

}  // namespace strait
