// What goes from one machine to another, here over the loopback interface: the library, and bare
// libzmq with the same sockets and keys.

#include <strait/transports/zmq.hpp>

#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "cases/cases.hpp"
#include "cases/library_link.hpp"
#include "cases/zmq_link.hpp"

namespace bench {

namespace {

constexpr int high_water_messages = 10'000;

/// A ROUTER or a DEALER with CURVE.
class CurveLink {
 public:
  explicit CurveLink(int type) : context_(zmq_ctx_new()), routes_(type == ZMQ_ROUTER) {
    if (!context_) throw_zmq("zmq_ctx_new");
    socket_.reset(zmq_socket(context_.get(), type));
    if (!socket_) throw_zmq("zmq_socket");
    set(ZMQ_SNDHWM, high_water_messages);
    set(ZMQ_RCVHWM, high_water_messages);
    set(ZMQ_LINGER, 0);
    if (routes_) set(ZMQ_ROUTER_MANDATORY, 1);  // waits for room instead of dropping
  }

  void* raw() { return socket_.get(); }
  void set(int option, int value) {
    if (zmq_setsockopt(raw(), option, &value, sizeof value) != 0) throw_zmq("option");
  }
  void set(int option, const char* text) {
    if (zmq_setsockopt(raw(), option, text, 41) != 0) throw_zmq("key");
  }

  /// For the first message alone, by which the ROUTER learns the routing id.
  void receive_first() {
    set(ZMQ_RCVTIMEO, 10'000);
    receive(1, [](std::span<const std::byte>) {});
    set(ZMQ_RCVTIMEO, -1);
  }

  void send(std::span<const std::byte> message) {
    if (routes_) send_part(peer_.data(), peer_bytes_, ZMQ_SNDMORE);
    send_part(message.data(), message.size(), 0);
  }
  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    if (routes_) {
      int got = 0;
      while ((got = zmq_recv(raw(), peer_.data(), peer_.size(), 0)) < 0) check_interrupted();
      peer_bytes_ = static_cast<std::size_t>(got);
    }
    strait::detail::ZmqMessage message;
    while (zmq_msg_recv(message.get(), raw(), 0) < 0) check_interrupted();
    handle(message.bytes());
    return 1;
  }

 private:
  static void check_interrupted() {
    if (zmq_errno() != EINTR) throw_zmq("transfer");
  }
  void send_part(const void* bytes, std::size_t size, int flags) {
    while (zmq_send(raw(), bytes, size, flags) < 0) check_interrupted();
  }

  std::unique_ptr<void, EndZmqContext> context_;
  std::unique_ptr<void, CloseZmqSocket> socket_;
  bool routes_;
  std::array<char, 256> peer_{};
  std::size_t peer_bytes_ = 0;
};

std::unique_ptr<Endpoint> host_bare(bool, const std::function<void(Invitation)>& invite) {
  CurveLink link(ZMQ_ROUTER);
  std::array<char, 41> key{};
  std::array<char, 41> secret{};
  if (zmq_curve_keypair(key.data(), secret.data()) != 0) throw_zmq("zmq_curve_keypair");
  link.set(ZMQ_CURVE_SERVER, 1);
  link.set(ZMQ_CURVE_SECRETKEY, secret.data());
  if (zmq_bind(link.raw(), "tcp://127.0.0.1:*") != 0) throw_zmq("zmq_bind");
  std::array<char, 64> endpoint{};
  std::size_t size = endpoint.size();
  if (zmq_getsockopt(link.raw(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size) != 0)
    throw_zmq("endpoint");
  invite({std::string(endpoint.data()) + '\n' + key.data(), {}});
  link.receive_first();
  return make_endpoint(std::move(link));
}

std::unique_ptr<Endpoint> join_bare(bool, Invitation invitation) {
  const std::size_t line_end = invitation.text.find('\n');
  CurveLink link(ZMQ_DEALER);
  std::array<char, 41> key{};
  std::array<char, 41> secret{};
  if (zmq_curve_keypair(key.data(), secret.data()) != 0) throw_zmq("zmq_curve_keypair");
  link.set(ZMQ_CURVE_SERVERKEY, invitation.text.substr(line_end + 1).c_str());
  link.set(ZMQ_CURVE_PUBLICKEY, key.data());
  link.set(ZMQ_CURVE_SECRETKEY, secret.data());
  if (zmq_connect(link.raw(), invitation.text.substr(0, line_end).c_str()) != 0)
    throw_zmq("zmq_connect");
  constexpr std::byte joined[1] = {};
  link.send(joined);
  return make_endpoint(std::move(link));
}

/// Finds its own name: an endpoint at a port that is free.
struct PortNamed {
  using Link = LibraryLink<strait::ZmqTransport, strait::NoObserver, How::plain>;

  static std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
    return Link::host_at(invite, [](int attempt) {
      const int port = 20'000 + (::getpid() + 131 * attempt) % 10'000;
      return "tcp://127.0.0.1:" + std::to_string(port);
    });
  }
  static std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
    return Link::join(invitation);
  }
};

}  // namespace

Case machines_case() {
  return {"machines", "ZmqTransport over TCP, with CURVE", PortNamed::host, PortNamed::join};
}

Case zmq_curve_case() {
  return {"zmq-curve", "bare libzmq: a ROUTER and a DEALER over TCP, with CURVE", host_bare,
          join_bare};
}

}  // namespace bench
