#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "strait/os/posix/tcp_connection.hpp"
#include "strait/transports/zmq/link_state.hpp"
#include "strait/transports/zmq/wire.hpp"

namespace strait::detail {

/// The TCP connections of a socket. libzmq keeps the frames of a message until its last one has
/// come, and has no bound for their number: a peer that never sends the last one would fill the
/// memory. So the kernel is asked how much has come on each connection since its last whole
/// message; one with too much is ended. (Of other connections than TCP's the kernel does not say.)
class ZmqConnections {
 public:
  /// An honest peer has no more under way than its credit, and heartbeats of a minute.
  static constexpr std::uint64_t max_unfinished_bytes = 4 * zmq_credit;

  /// `endpoint`: where the socket listens or connects to.
  void begin(std::string_view endpoint) {
    if (!endpoint.starts_with("tcp://")) return;
    const auto digits = endpoint.substr(endpoint.rfind(':') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), port_);
  }

  /// One that has begun.
  void add(std::uint32_t fd) {
    const auto number = static_cast<int>(fd);
    connections_.erase(number);
    if (port_ == 0) return;
    if (auto found = os::TcpConnection::find(number, port_)) {
      connections_.emplace(number, Connection{std::move(*found)});
    }
  }
  void remove(std::uint32_t fd) { connections_.erase(static_cast<int>(fd)); }

  /// Ends those on which too much has come, and their links.
  template <class Links>
  void check(const Links& links) {
    for (const auto& [id, link] : links) {
      const auto found = connections_.find(link->connection);
      if (found == connections_.end()) continue;
      auto& connection = found->second;
      connection.whole = link->taken != std::exchange(connection.taken, link->taken);
    }
    for (auto at = connections_.begin(); at != connections_.end();) {
      auto& [number, connection] = *at;
      const auto received = connection.tcp.received();
      if (received && std::exchange(connection.whole, false)) connection.from = *received;
      const bool floods = received && *received - connection.from > max_unfinished_bytes;
      if (received && !floods) {
        ++at;
        continue;
      }
      if (floods) {
        connection.tcp.shut();
        for (const auto& [id, link] : links) {
          if (link->connection == number) link->end(make_error_code(Errc::malformed));
        }
      }
      at = connections_.erase(at);
    }
  }

 private:
  struct Connection {
    os::TcpConnection tcp;
    /// How much had come when the last whole message was seen.
    std::uint64_t from = 0;
    /// How many whole messages its link had then.
    std::uint64_t taken = 0;
    /// There was another one.
    bool whole = false;
  };

  std::uint16_t port_ = 0;
  /// By the number of the descriptor that libzmq has.
  std::map<int, Connection> connections_;
};

}  // namespace strait::detail
