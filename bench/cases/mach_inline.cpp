#include "cases/library_link.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

Case mach_inline_case() {
  return library_case<strait::MachTransport<strait::InlineOnly>>(
      "mach-inline", "MachTransport, all inline, default wait policy");
}

Case mach_inline_block_case() {
  return library_case<strait::MachTransport<strait::InlineOnly, strait::Block>>(
      "mach-inline-block", "the same, sleeping at once");
}

Case mach_inline_spin_case() {
  return library_case<strait::MachTransport<strait::InlineOnly, strait::Spin>>(
      "mach-inline-spin", "the same, never sleeping");
}

}  // namespace bench
