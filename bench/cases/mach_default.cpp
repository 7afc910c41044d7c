#include "cases/library_link.hpp"
#include "strait/config.hpp"
#include "strait/transports/mach.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/bridged.hpp"
#endif

namespace bench {

Case mach_case() {
  return library_case<strait::MachTransport<>>("mach", "MachTransport, all policies by default");
}

Case mach_block_case() {
  return library_case<strait::MachTransport<strait::DefaultSendPolicy, strait::Block>>(
      "mach-block", "the same, sleeping at once");
}

#if !STRAIT_HAS_WINDOWS
Case mach_bridged_case() {
  return library_case<strait::BridgedTransport<strait::MachTransport<>>>(
      "mach-bridged", "the same behind a thread and a pipe");
}
#endif

}  // namespace bench
