#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "strait/error.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/transports/zmq/message.hpp"
#include "strait/transports/zmq/wire.hpp"

namespace strait::detail {

/// One end of a link, as its socket's hub knows it. All of it is the hub's to guard.
struct ZmqLinkState {
  /// What a ROUTER calls this peer; empty at the one peer of a DEALER.
  std::string routing_id;
  /// The connection's descriptor, by which alone a socket's monitor says that it has ended.
  int connection = -1;
  PublicKey key;
  /// The peer's Hello; then at a client the server's Welcome.
  HandshakeBytes handshake;
  bool welcome_came = false;
  bool welcome_taken = false;
  /// Both have said all that comes before data.
  bool linked = false;
  std::error_code ended;
  /// This side has ended it, and now waits for the peer's `bye`, or its connection's end: data that
  /// meets a closed connection would take back what is under way to the peer.
  bool left = false;

  std::uint64_t next_in = 0;
  std::uint64_t next_out = 0;
  std::size_t credit = zmq_credit;
  /// Parts of the stream, in order, and what they cost the peer.
  std::vector<ZmqMessage> inbox;
  std::size_t inbox_cost = 0;

  posix::WaitSet wakeup;
  bool armed = false;
  bool wants_room = false;

  void signal() {
    if (armed) static_cast<void>(wakeup.signal());
  }
  void end(std::error_code why) {
    if (ended) return;
    ended = why;
    signal();
  }
};

}  // namespace strait::detail
