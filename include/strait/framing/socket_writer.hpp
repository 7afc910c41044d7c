#pragma once

#include <array>
#include <cerrno>
#include <cstddef>

#include "strait/base/slice.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/gathered.hpp"
#include "strait/os/posix/socket.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::detail {

/// Writes to a socket, beside bytes also rights, what there is room for.
struct SocketWriter {
  const os::Descriptor& socket;
  /// Set when the user has too many descriptors under way, which no event ends.
  bool* retries = nullptr;

  Result<std::size_t> operator()(Slice<const os::GatheredPart> parts,
                                 Slice<const int> descriptors = {}) const {
    auto sent = os::send_parts(socket.get(), parts, descriptors);
    const bool too_many_in_flight = !sent && sent.error() == os::system_error(ETOOMANYREFS);
    if (retries != nullptr) *retries = too_many_in_flight;
    if (too_many_in_flight || (!sent && sent.error() == Errc::would_block)) return std::size_t{0};
    return sent;
  }
  Result<std::size_t> operator()(Slice<const os::GatheredPart> parts, const RightList& rights,
                                 std::size_t count) const {
    std::array<int, os::max_descriptors> descriptors;
    std::size_t filled = 0;
    rights.for_each([&](const Right& right) { descriptors[filled++] = right.descriptor.get(); },
                    count);
    return (*this)(parts, Slice<const NativeHandle>(descriptors).first(filled));
  }
};

}  // namespace strait::detail
