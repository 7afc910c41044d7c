#pragma once

#include <zmq.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "strait/result.hpp"
#include "strait/transports/zmq/message.hpp"

namespace strait::detail {

/// What libzmq tells of a socket's connections, oldest first. It names each by its descriptor, a
/// number that a later connection may have again. A connection's end is told before the next one
/// with its number can send anything, so when a message has come from a connection, and all that
/// is told has been read, then the next end with this number is its own.
///
/// Nothing may keep libzmq from telling, as its one thread for all sockets would wait: so it is
/// stopped before its reader is closed, and what is not read yet has no bound.
class ZmqMonitor {
 public:
  struct Event {
    std::uint16_t kind;
    std::uint32_t value;

    /// What it means to a client.
    std::error_code failure() const {
      switch (kind) {
        case ZMQ_EVENT_CLOSED: return make_error_code(Errc::not_found);
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return make_error_code(Errc::permission_denied);
        default: return make_error_code(Errc::peer_closed);
      }
    }
    /// Whether the two ends could not agree on a connection, and will not.
    bool is_refusal() const {
      return kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    }
  };

  /// Errors: the system's.
  Result<void> start(void* context, ZmqSocket& monitored, int events) {
    static std::atomic<std::uint64_t> count = 0;
    const std::string name = "inproc://strait.monitor." + std::to_string(++count);
    if (::zmq_socket_monitor(monitored.get(), name.c_str(), events) != 0) return zmq_failure();
    monitored_ = monitored.get();
    auto socket = ZmqSocket::create(context, ZMQ_PAIR);
    if (!socket) return socket.error();
    if (auto lingers = socket->set(ZMQ_LINGER, 0); !lingers) return lingers;
    if (auto unbounded = socket->set(ZMQ_RCVHWM, 0); !unbounded) return unbounded;
    if (::zmq_connect(socket->get(), name.c_str()) != 0) return zmq_failure();
    socket_ = std::move(*socket);
    return {};
  }

  void stop() {
    if (!socket_) return;
    ::zmq_socket_monitor(monitored_, nullptr, 0);
    socket_.close();
  }

  explicit operator bool() const { return static_cast<bool>(socket_); }
  /// As `ZmqSocket::descriptor`; -1 when stopped.
  int descriptor() const { return socket_ ? socket_.descriptor() : -1; }

  template <class Take>
  void read(Take&& take) {
    while (socket_) {
      ZmqMessage event;
      ZmqMessage address;
      if (!socket_.receive(event) || !socket_.receive(address)) return;
      if (event.size() != sizeof(std::uint16_t) + sizeof(std::uint32_t)) continue;
      Event told;
      std::memcpy(&told.kind, event.data(), sizeof told.kind);
      std::memcpy(&told.value, event.data() + sizeof told.kind, sizeof told.value);
      if (told.kind != ZMQ_EVENT_MONITOR_STOPPED) take(std::as_const(told));
    }
  }

 private:
  ZmqSocket socket_;
  void* monitored_ = nullptr;
};

}  // namespace strait::detail
