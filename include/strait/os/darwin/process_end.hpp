#pragma once

#include "strait/os/posix/child.hpp"
#include "strait/os/posix/process.hpp"
#include "strait/os/process_status.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// How a peer's process has ended: of a child of this process that was not reaped, the system tells
/// it; of any other one only that it is gone.
inline ProcessEnd look_at_end(const PeerCredentials& process) {
  if (process.pid <= 0) return {};
  if (const auto end = look_at_child(process.pid); end && end->ended) {
    const bool killed = end->signal != 0;
    return {killed ? ProcessEnd::How::killed : ProcessEnd::How::exited,
            killed ? end->signal : end->code};
  }
  return {has_ended(process.pid) ? ProcessEnd::How::gone : ProcessEnd::How::none, 0};
}

}  // namespace strait::os
