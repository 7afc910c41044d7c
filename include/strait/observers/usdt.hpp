#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strait/observer.hpp"
#include "strait/os/probes.hpp"
#include "strait/peer.hpp"

namespace strait {

/// An observer that is a set of static probes (USDT) for bpftrace, perf and systemtap:
///
///     strait:connected(observer, peer's pid, peer's uid)
///     strait:ended(observer, value of the error, EndedBy, status)
///     strait:send(observer, tag, bytes)
///     strait:receive(observer, tag, bytes)
///
///     bpftrace -e 'usdt:./server:strait:send { @bytes[arg1] = hist(arg2); }'
///
/// `observer` tells the channels of a process apart, as long as they are not moved. Each probe is
/// one instruction that does nothing until a tool asks for it; to have its arguments at hand costs
/// some ten more. Only on Linux, where <sys/sdt.h> was there when the program was compiled
/// (`STRAIT_HAS_USDT`); elsewhere this does nothing. A channel without this observer has no probes.
class UsdtObserver {
 public:
  void on_connected(const Peer& peer) {
    os::probe_connected(this, peer.credentials.pid, peer.credentials.uid);
  }
  void on_ended(const ChannelEnd& end) {
    os::probe_ended(this, end.why.value(), static_cast<int>(end.by), end.status);
  }
  void on_send(std::string_view, std::uint16_t tag, std::size_t bytes) {
    os::probe_send(this, tag, bytes);
  }
  void on_receive(std::string_view, std::uint16_t tag, std::size_t bytes) {
    os::probe_receive(this, tag, bytes);
  }
};

}  // namespace strait
