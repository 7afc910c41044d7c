#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/owner.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/interest.hpp"
#include "strait/transport.hpp"
#include "strait/transports/bridge.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Any transport, with its receiving on a thread of its own that writes one byte a message to a
/// pipe: for event loops that can wait for nothing but a plain pipe. It is what Chromium tried for
/// Mach ports in 2008. It costs a second wake-up and a copy for each message (bench/README.md), so
/// prefer the transport itself wherever `native_handle()` can be waited for. It carries no rights.
///
/// The thread starts with the first `receive` after the handshake and ends with the link. It holds
/// up to 2,048 messages, or 1 MiB and one message, then leaves the rest to the transport. It has
/// all signals blocked.
///
/// Threads: as any transport; what the two threads share is locked.
template <class T>
class BridgedTransport {
  static_assert(Transport<T>,
                "strait: the argument of BridgedTransport is a transport, such as PipeTransport.");

 public:
  /// The pipe has nothing to spin on.
  using wait_policy = Block;
  static constexpr detail::WireOptions wire_options = detail::wire_options_of<T>();

  class Request {
   public:
    explicit Request(typename T::Request request)
        : credentials(request.credentials),
          failure(request.failure),
          request_(std::move(request)) {}

    PeerCredentials credentials;
    std::error_code failure;

    std::span<const std::byte> hello() const { return request_.hello(); }
    Result<BridgedTransport> welcome(std::span<const std::byte> bytes) && {
      auto link = std::move(request_).welcome(bytes);
      if (!link) return link.error();
      return BridgedTransport(std::move(*link), true);
    }
    void refuse(std::span<const std::byte> bytes) && { std::move(request_).refuse(bytes); }

   private:
    typename T::Request request_;
  };

  class Server {
   public:
    explicit Server(typename T::Server server) : server_(std::move(server)) {}

    Result<Request> accept() {
      auto request = server_.accept();
      if (!request) return request.error();
      return Request(std::move(*request));
    }
    void withdraw() requires requires(typename T::Server server) { server.withdraw(); }
    { server_.withdraw(); }
    Interest interest() const { return server_.interest(); }
    detail::Deadline deadline() const { return server_.deadline(); }

   private:
    typename T::Server server_;
  };

  class Connector {
   public:
    explicit Connector(typename T::Connector name) : name_(std::move(name)) {}

    PeerCredentials credentials() const requires detail::TellsCredentials<typename T::Connector> {
      return name_.credentials();
    }
    Result<BridgedTransport> hello(std::span<const std::byte> bytes) && {
      auto link = std::move(name_).hello(bytes);
      if (!link) return link.error();
      return BridgedTransport(std::move(*link), false);
    }

   private:
    typename T::Connector name_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    auto server = T::listen(name, limits);
    if (!server) return server.error();
    return Server(std::move(*server));
  }

  static Result<Connector> look_up(std::string_view name) {
    auto found = T::look_up(name);
    if (!found) return found.error();
    return Connector(std::move(*found));
  }

  PeerCredentials server_credentials() const
      requires(!detail::TellsCredentials<typename T::Connector>) {
    return bridge_->link().server_credentials();
  }

  Result<detail::HandshakeBytes> welcome() {
    auto answer = bridge_->link().welcome();
    welcomed_ = answer.has_value();
    return answer;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    return bridge_->send(payload, queue);
  }
  Result<void> flush(detail::FrameQueue& queue) { return bridge_->flush(queue); }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    if (!bridge_->started()) {
      if (auto started = bridge_->start(limits.max_message_bytes); !started) return started;
    }
    std::size_t left = detail::fair_share_bytes;
    for (int i = 0; i != detail::fair_share && left != 0; ++i) {
      if (taken_.empty()) {
        if (auto more = bridge_->take(taken_, limits.max_message_bytes); !more) return more;
      }
      const auto frame = taken_.front();
      incoming_.clear();
      std::byte* copy = incoming_.extend(frame.header.bytes);
      if (copy == nullptr) return detail::no_memory();
      std::memcpy(copy, frame.payload, frame.header.bytes);
      left -= (detail::min)(left, std::size_t{frame.header.bytes});
      taken_.pop();
      if (!sink(Incoming{frame.header.tag, incoming_.bytes()})) return {};
    }
    return {};
  }

  bool readable() const {
    if (!bridge_->started()) return welcomed_ || bridge_->link().readable();
    return !taken_.empty() || bridge_->readable();
  }
  Armed arm(const detail::FrameQueue& queue) {
    if (!bridge_->started()) {
      Armed armed = bridge_->link().arm(queue);
      // Before the first `receive` no thread wakes this side: that is what is to be done.
      armed.ready = welcomed_ || armed.ready;
      return armed;
    }
    Armed armed = bridge_->arm(queue);
    armed.ready = armed.ready || !taken_.empty();
    return armed;
  }
  bool disarm() { return !bridge_->started() && bridge_->link().disarm(); }
  void take_doorbells() {
    bridge_->started() ? bridge_->take_room_signal() : bridge_->link().take_doorbells();
  }

 private:
  BridgedTransport(T link, bool welcomed)
      : bridge_(new detail::Bridge<T>(std::move(link))), welcomed_(welcomed) {}

  detail::Owner<detail::Bridge<T>, typename detail::Bridge<T>::End> bridge_;
  detail::FrameQueue taken_;
  detail::ByteBuffer incoming_;
  bool welcomed_;
};

}  // namespace strait
