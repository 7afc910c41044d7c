#pragma once

#include <cstddef>
#include <cstdint>

namespace strait {

/// The limits of a proxy, as a template argument: `ChannelProxy<Link, ProxyOptions{...}>`.
struct ProxyOptions {
  /// How much may have arrived and wait for the listener; then nothing more is taken in, and the
  /// peer finds no room. One message is always taken, whatever its size.
  std::size_t max_inbox_bytes = std::size_t{1} << 20;

  /// How many rights may have arrived and wait with their messages, as above.
  std::size_t max_inbox_rights = 256;

  /// How long a closing proxy goes on sending what it had taken.
  std::uint32_t linger_ms = 1000;
};

}  // namespace strait
