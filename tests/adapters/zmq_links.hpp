#pragma once

// Channels past one machine, for the tests of ZmqTransport.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "conformance/channels.hpp"
#include "strait/acceptor.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/zmq.hpp"
#include "support/refusals.hpp"

namespace strait_test {

struct Count {
  std::uint64_t value;
};

template <class SecurityT = strait::Curve, class Observer = strait::NoObserver>
using ZmqLinkOver =
    strait::Channel<strait::BasicZmqTransport<SecurityT>, strait::TrivialSerializer<Count>,
                    strait::ChannelOptions{}, Observer>;
using ZmqCountLink = ZmqLinkOver<>;
/// Sees the clients that are turned away.
using WatchedZmqLink = ZmqLinkOver<strait::Curve, SharedRefusals>;

inline sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A port of the loopback interface that is free. Another process may take it, so
/// whoever listens asks for one until it can.
inline std::uint16_t free_port() {
  const strait::os::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port is free");
  }
  return ntohs(address.sin_port);
}

/// A plain TCP connection to a port.
inline strait::os::Descriptor connect_plainly(std::uint16_t port) {
  strait::os::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback_address(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("can't connect");
  }
  return socket;
}

inline std::string endpoint_of(std::uint16_t port) {
  return "tcp://127.0.0.1:" + std::to_string(port);
}

/// A server at a port that was free.
template <class ServerT>
struct ZmqServing {
  std::uint16_t port;
  std::string endpoint;
  ServerT server;
};
template <class ServerT, class... More>
ZmqServing<ServerT> serve_zmq(const strait::CurveKeys& keys, const strait::Token& token,
                              More... more) {
  for (;;) {
    const auto port = free_port();
    auto server = ServerT::listen({endpoint_of(port), keys}, token, more...);
    if (server) return {port, endpoint_of(port), std::move(*server)};
    if (server.error() != Errc::name_taken) throw std::system_error(server.error(), "listen");
  }
}

}  // namespace strait_test
