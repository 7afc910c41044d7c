#include "cases/library_link.hpp"
#include "strait/mach_transport.hpp"

namespace bench {

Case mach_case() {
  return library_case<strait::MachTransport<>>("mach", "MachTransport, all policies by default");
}

Case mach_block_case() {
  return library_case<strait::MachTransport<strait::DefaultSendPolicy, strait::Block>>(
      "mach-block", "the same, sleeping at once");
}

}  // namespace bench
