#pragma once

#include <utility>

#include "strait/os/close_unseen.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The file of memory that the sender lends, which came with the message that was popped last.
///
/// Errors: as K16; `bad_region` if its size could change; `peer_closed` where the receiver takes it
/// out of the sender's process, and that has ended: what it had not handed over has gone with it.
template <class ReceiveRight>
Result<os::UnseenDescriptor> take_lent_file(ReceiveRight& in) {
  os::UnseenDescriptor file[1];
  if (auto taken = in.take_descriptors(file); !taken) {
    if constexpr (requires { in.sender_has_ended(); }) {
      if (taken.failed_with(Errc::rights_lost) && in.sender_has_ended()) return Errc::peer_closed;
    }
    return taken.error();
  }
  // Looked at here already: closing what is something else could take long.
  if (!os::sealed_size(file[0].get(), os::seals_of_size)) return Errc::bad_region;
  return std::move(file[0]);
}

}  // namespace strait::detail
