#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/base/user_id.hpp"
#include "strait/config.hpp"

#if STRAIT_HAS_USDT
#include <sys/sdt.h>
#define STRAIT_PROBE(count, ...) DTRACE_PROBE##count(strait, __VA_ARGS__)
#else
#define STRAIT_PROBE(count, ...) static_cast<void>(0)
#endif

namespace strait::os {

// Static probes of the provider `strait`: each is one instruction that does nothing, and a note in
// the program's file that says where it is and where its arguments are. Where the system has none,
// they are nothing.

inline void probe_connected([[maybe_unused]] const void* observer,
                            [[maybe_unused]] std::int32_t pid, [[maybe_unused]] UserId uid) {
  STRAIT_PROBE(3, connected, observer, pid, uid);
}
inline void probe_ended([[maybe_unused]] const void* observer, [[maybe_unused]] int why,
                        [[maybe_unused]] int by, [[maybe_unused]] int status) {
  STRAIT_PROBE(4, ended, observer, why, by, status);
}
inline void probe_send([[maybe_unused]] const void* observer, [[maybe_unused]] std::uint16_t tag,
                       [[maybe_unused]] std::size_t bytes) {
  STRAIT_PROBE(3, send, observer, tag, bytes);
}
inline void probe_receive([[maybe_unused]] const void* observer, [[maybe_unused]] std::uint16_t tag,
                          [[maybe_unused]] std::size_t bytes) {
  STRAIT_PROBE(3, receive, observer, tag, bytes);
}

}  // namespace strait::os

#undef STRAIT_PROBE
