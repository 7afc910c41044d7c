#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/error.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/transports/zmq/message.hpp"
#include "strait/transports/zmq/wire.hpp"

namespace strait::detail {

/// After how many checks of a link on which nothing was sent a message goes that says nothing: one
/// a minute.
inline constexpr int zmq_quiet_checks = 300;

/// One end of a link, as its socket's hub knows it. All of it is the hub's to guard.
struct ZmqLinkState {
  /// What a ROUTER calls this peer; empty at the one peer of a DEALER.
  std::string routing_id;
  /// The connection's descriptor, by which alone a socket's monitor says that it has ended.
  int connection = -1;
  PublicKey key;
  /// The peer's Hello; then at a client the server's Welcome.
  HandshakeBytes handshake;
  /// The client was asked whether it is still there, and has answered, so far as this side knows.
  bool asked = false;
  bool answered = false;
  /// For how many checks the server has waited for that.
  int unanswered_checks = 0;
  bool welcome_came = false;
  bool welcome_taken = false;
  /// Both have said all that comes before data.
  bool linked = false;
  std::error_code ended;
  /// This side has ended it, and now waits for the peer's `bye`, or its connection's end: data that
  /// meets a closed connection would take back what is under way to the peer.
  bool left = false;

  /// How many messages have come, of whatever kind.
  std::uint64_t taken = 0;
  /// For how many checks nothing was sent, and what was sent before.
  int quiet_checks = 0;
  std::uint64_t sent_before = 0;

  std::uint64_t next_in = 0;
  std::uint64_t next_out = 0;
  std::size_t credit = zmq_credit;
  /// Parts of the stream, in order, and what they cost the peer.
  std::vector<ZmqMessage> inbox;
  std::size_t inbox_cost = 0;

  os::WaitSet wakeup;
  bool armed = false;
  bool wants_room = false;

  /// For each check: whether nothing was sent for a minute, and something has to be.
  bool is_quiet() {
    if (!linked || left || ended || std::exchange(sent_before, next_out) != next_out) {
      quiet_checks = 0;
      return false;
    }
    quiet_checks = (quiet_checks + 1) % zmq_quiet_checks;
    return quiet_checks == 0;
  }

  void signal() {
    if (armed) static_cast<void>(wakeup.signal());
  }
  void end(std::error_code why) {
    if (ended) return;
    ended = why;
    signal();
  }

  /// Takes in the peer's next message, but for what `bye` means. False for what no honest peer
  /// sends.
  bool take(const ZmqHeader& header, ZmqMessage& message, bool is_client) {
    const std::size_t bytes = message.size() - sizeof header;
    switch (header.kind) {
      case ZmqKind::data:
        inbox_cost += zmq_cost(bytes);
        if (!linked || inbox_cost > zmq_credit) return false;
        if (bytes == 0 || bytes > zmq_part_bytes) return false;
        inbox.push_back(std::move(message));
        signal();
        return true;
      case ZmqKind::credit:
        credit += header.credit;
        if (wants_room) signal();
        return linked && credit <= zmq_credit;
      case ZmqKind::welcome:
        if (!is_client || welcome_came) return false;
        handshake = HandshakeBytes(message.bytes().subspan(sizeof header));
        welcome_came = true;
        linked = true;
        signal();
        return true;
      case ZmqKind::ask: return is_client && !std::exchange(asked, true);
      case ZmqKind::answer: return !is_client && asked && !std::exchange(answered, true);
      case ZmqKind::bye:
      case ZmqKind::probe: return true;
      case ZmqKind::hello:
      default: return false;
    }
  }
};

}  // namespace strait::detail
