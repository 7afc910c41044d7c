#pragma once

#include <zmq.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "cases/cases.hpp"
#include "harness/guard.hpp"

namespace bench {

[[noreturn]] inline void throw_zmq(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

struct EndZmqContext {
  void operator()(void* context) const noexcept { zmq_ctx_term(context); }
};
struct CloseZmqSocket {
  void operator()(void* socket) const noexcept { zmq_close(socket); }
};

/// A PAIR of ZeroMQ over ipc://.
class ZmqLink {
 public:
  ZmqLink() : context_(zmq_ctx_new()) {
    if (!context_) throw_zmq("zmq_ctx_new");
    socket_.reset(zmq_socket(context_.get(), ZMQ_PAIR));
    if (!socket_) throw_zmq("zmq_socket");
    // Each side queues so many messages before a sender waits.
    constexpr int high_water_messages = 10'000;
    set(ZMQ_SNDHWM, high_water_messages);
    set(ZMQ_RCVHWM, high_water_messages);
    set(ZMQ_LINGER, 0);
  }

  void bind(const std::string& url) {
    if (zmq_bind(socket_.get(), url.c_str()) != 0) throw_zmq("zmq_bind");
  }
  void connect(const std::string& url) {
    if (zmq_connect(socket_.get(), url.c_str()) != 0) throw_zmq("zmq_connect");
  }

  /// For the first message alone: later ones are the guard's.
  void receive_within(int milliseconds) {
    set(ZMQ_RCVTIMEO, milliseconds);
    receive(1, [](std::span<const std::byte>) {});
    set(ZMQ_RCVTIMEO, -1);
  }

  // One copy, into a message of the library's.
  void send(std::span<const std::byte> message) {
    while (zmq_send(socket_.get(), message.data(), message.size(), 0) < 0) {
      if (zmq_errno() != EINTR) throw_zmq("zmq_send");
    }
  }

  /// A message that `build(room)` writes where the library will send it from.
  template <class Build>
  void send_built(std::size_t bytes, const Build& build) {
    Message message(bytes);
    build(std::span(static_cast<std::byte*>(zmq_msg_data(&message.raw)), bytes));
    while (zmq_msg_send(&message.raw, socket_.get(), 0) < 0) {
      if (zmq_errno() != EINTR) throw_zmq("zmq_msg_send");
    }
  }

  void flush() noexcept {}

  // Looked at where the library put it.
  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    Message message;
    while (zmq_msg_recv(&message.raw, socket_.get(), 0) < 0) {
      if (zmq_errno() != EINTR) throw_zmq("zmq_msg_recv");
    }
    handle(std::span<const std::byte>(static_cast<const std::byte*>(zmq_msg_data(&message.raw)),
                                      zmq_msg_size(&message.raw)));
    return 1;
  }

 private:
  struct Message {
    Message() { zmq_msg_init(&raw); }
    explicit Message(std::size_t bytes) {
      if (zmq_msg_init_size(&raw, bytes) != 0) throw_zmq("zmq_msg_init_size");
    }
    ~Message() { zmq_msg_close(&raw); }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;
    zmq_msg_t raw;
  };

  void set(int option, int value) {
    if (zmq_setsockopt(socket_.get(), option, &value, sizeof value) != 0) throw_zmq("option");
  }

  std::unique_ptr<void, EndZmqContext> context_;
  std::unique_ptr<void, CloseZmqSocket> socket_;
};

/// Opens both ends, and makes an endpoint of each.
template <class Make>
std::unique_ptr<Endpoint> host_zmq(const std::function<void(Invitation)>& invite,
                                   const Make& make) {
  guard::PrivateDirectory directory;
  const std::string url = "ipc://" + directory.path_for("zmq");
  ZmqLink link;
  link.bind(url);
  invite({url, {}});
  link.receive_within(10'000);
  return make(std::move(link));
}
template <class Make>
std::unique_ptr<Endpoint> join_zmq(const Invitation& invitation, const Make& make) {
  ZmqLink link;
  link.connect(invitation.text);
  constexpr std::byte joined[1] = {};
  link.send(joined);
  return make(std::move(link));
}

}  // namespace bench
